"""Golden requests: recorded questions that a worker answers rightly before it may say loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handlerkit.errors import LoadError
from handlerkit.manifest import Golden, Manifest

Answer = tuple[str | None, Mapping[str, np.ndarray]]


def check(manifest: Manifest, answer: Callable[[Any], Answer]) -> int:
    """Ask every golden request and compare label and raw outputs.

    Args:
        manifest: holds the recorded requests and the tolerance.
        answer: maps a request body to (label or None, raw outputs of that one item).

    Returns:
        How many were asked.

    Raises:
        LoadError: naming the first request that was answered wrongly, expected and found.
    """
    for number, golden in enumerate(manifest.golden):
        label, outputs = answer(golden.request)
        if difference := compare(golden, label, outputs, manifest.golden_atol):
            raise LoadError(
                f"{manifest.model} {manifest.served_version}: golden request {number} answered wrongly: "
                f"{difference}; this archive must not serve on this machine, rebuild it or choose another variant"
            )
    return len(manifest.golden)


def compare(golden: Golden, label: str | None, outputs: Mapping[str, np.ndarray], atol: float) -> str:
    """The first difference as a phrase, or an empty string where the answer is right."""
    if golden.label is not None and label != golden.label:
        return f"label {label!r} instead of {golden.label!r}"
    for name, recorded in golden.outputs.items():
        if name not in outputs:
            return f"no output {name!r}, only {sorted(outputs)}"
        expected, found = np.asarray(recorded, np.float64), np.asarray(outputs[name], np.float64)
        if expected.shape != found.shape:
            return f"output {name!r} has shape {found.shape} instead of {expected.shape}"
        distance = float(np.max(np.abs(expected - found), initial=0.0))
        if not distance <= atol:  # also true for NaN
            return f"output {name!r} differs by {distance:.4g}, allowed {atol:.4g}"
    return ""
