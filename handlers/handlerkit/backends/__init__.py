"""One backend per artifact format, chosen by the manifest's ``format`` and by nothing else.

The gate measures through these same classes, so what was measured is what a worker runs.
"""

from __future__ import annotations

from pathlib import Path

from handlerkit.backends.base import Backend
from handlerkit.errors import LoadError
from handlerkit.machine import require
from handlerkit.manifest import Manifest

FORMATS = ("eager", "compile", "torchscript", "pt2", "onnx")


def load(manifest: Manifest, directory: Path, threads: int = 1) -> Backend:
    """Load an artifact.

    Args:
        manifest: what the artifact says of itself.
        directory: holds the artifact's files.
        threads: compute threads of this one model.

    Raises:
        LoadError: when the machine lacks what the manifest requires, or the files cannot be loaded
            as the format named; nothing falls back to another format.
    """
    require(manifest)
    if manifest.format == "onnx":
        from handlerkit.backends.onnx import OnnxBackend

        return OnnxBackend(manifest, directory, threads)
    if manifest.format == "torchscript":
        from handlerkit.backends.torchscript import TorchScriptBackend

        return TorchScriptBackend(manifest, directory, threads)
    if manifest.format == "pt2":
        from handlerkit.backends.aoti import AotiBackend

        return AotiBackend(manifest, directory, threads)
    if manifest.format == "compile":
        from handlerkit.backends.compiled import CompiledBackend

        return CompiledBackend(manifest, directory, threads)
    if manifest.format == "eager":
        from handlerkit.backends.eager import EagerBackend

        return EagerBackend(manifest, directory, threads)
    raise LoadError(f"manifest: format {manifest.format!r} is unknown (allowed: {', '.join(FORMATS)}); rebuild it")
