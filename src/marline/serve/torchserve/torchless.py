"""What can be served where torch is not installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from marline.serve.torchserve.archives import Served


def has_torch() -> bool:
    """Whether torch is installed here."""
    try:
        importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def torch_free_skips(served: Sequence[Served]) -> tuple[list[Served], list[str]]:
    """Split archives into those that can be served here, and one sentence for each that cannot.

    Where torch is installed nothing is skipped.
    """
    if has_torch():
        return list(served), []
    able = [s for s in served if "torch" not in s.manifest.requirements.packages]
    return able, [_sentence(s) for s in served if s not in able]


def _sentence(skipped: Served) -> str:
    m = skipped.manifest
    return (
        f"{m.model} {m.served_version} needs torch {m.requirements.packages['torch']}, which is not installed; "
        "`pip install 'marline[build]'` to serve it, or serve an ONNX variant, which needs none"
    )
