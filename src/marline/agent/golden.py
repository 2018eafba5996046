"""A golden request over HTTP: the answer a client gets, compared with the archive's record."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handlerkit import golden as recorded
from handlerkit.manifest import Golden, Manifest
from marline.agent.settings import PodSettings
from marline.errors import ServeError


def body(golden: Golden) -> bytes:
    """The request as it is sent."""
    return json.dumps(golden.request).encode()


def difference(manifest: Manifest, golden: Golden, status: int, answer: bytes) -> str:
    """How an answer differs from the record; empty when it is right.

    Args:
        manifest: of the archive that should have answered.
        golden: the request that was asked.
        status: HTTP status.
        answer: the answer's body.
    """
    if status != 200:
        return f"status {status}: {answer[:200].decode(errors='replace')}"
    try:
        document: Any = json.loads(answer)
    except ValueError:
        return f"no JSON document: {answer[:200].decode(errors='replace')}"
    if not isinstance(document, Mapping):
        return f"a {type(document).__name__} instead of an object"
    expected = {"model": manifest.model, "model_version": manifest.version, "variant": manifest.variant}
    for key, value in expected.items():
        if document.get(key) != value:
            return f"{key} {document.get(key)!r} instead of {value!r}"
    try:
        outputs = _arrays(manifest, document)
    except (ValueError, TypeError):
        return f"outputs that are no arrays of numbers: {answer[:200].decode(errors='replace')}"
    shown = Golden(golden.request, golden.label, _presented(manifest, golden))
    return recorded.compare(shown, document.get("label"), outputs, manifest.golden_atol)


def _presented(manifest: Manifest, golden: Golden) -> Mapping[str, Any]:
    """The recorded outputs that an answer shows; a classifier shows scores and keeps its logits."""
    return {} if manifest.task == "text-classification" else golden.outputs


def _arrays(manifest: Manifest, document: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if manifest.task == "text-classification":
        return {}
    shown = document.get("outputs") if manifest.task == "tensor" else {"embedding": document.get("embedding")}
    return {name: np.asarray(value, np.float64) for name, value in shown.items()} if isinstance(shown, Mapping) else {}


def ask_all(settings: PodSettings, url: str, timeout_s: float = 30.0) -> str:
    """Ask every golden request of the archive.

    Args:
        settings: those of the pods behind ``url``; they name the archive.
        url: where they are reached, without a path.
        timeout_s: longest wait for one answer.

    Returns:
        A sentence that says how many were right.

    Raises:
        ServeError: for the first request that is answered wrongly or not at all.
    """
    # comes with everything that a server needs, and whoever only compares has none of that
    from marline.serve.torchserve.archives import read_archive

    manifest = read_archive(Path(settings.archive.path)).manifest
    address = f"{url.rstrip('/')}/predictions/{manifest.model}/{manifest.served_version}"
    for number, golden in enumerate(manifest.golden):
        request = urllib.request.Request(address, body(golden), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                status, answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read()
        except OSError as error:
            raise ServeError(
                f"{address}: golden request {number} got no answer ({error}); see whether its pods are ready"
            ) from error
        if wrong := difference(manifest, golden, status, answer):
            raise ServeError(f"{address}: golden request {number} answered wrongly: {wrong}; roll the release back")
    return f"{address}: {len(manifest.golden)} golden requests answered rightly"
