"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest


class OnnxBackend:
    """An ONNX graph in one session with ``threads`` threads and no spinning.

    Spinning threads would take the cores that the server's frontend and the other workers need.
    """

    def __init__(self, manifest: Manifest, directory: Path, threads: int) -> None:
        # on by default in the official builds, and read once, when the runtime initializes
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        path = directory / manifest.file(".onnx")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        # onnxruntime raises a family of pybind classes that share no base but Exception
        except Exception as error:
            raise LoadError(
                f"{path} cannot be loaded by onnxruntime {ort.__version__}: {_first_line(error)}; rebuild the archive"
            ) from error
        self._outputs = [tensor.name for tensor in manifest.outputs]
        if unknown := set(self._outputs) - {o.name for o in self._session.get_outputs()}:
            raise LoadError(f"{path} has no output {sorted(unknown)[0]!r} that the manifest names; rebuild the archive")
        self._inputs = [i.name for i in self._session.get_inputs()]
        if unnamed := set(self._inputs) - {tensor.name for tensor in manifest.inputs}:
            raise LoadError(f"{path} has an input {sorted(unnamed)[0]!r} that the manifest lacks; rebuild the archive")

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See :class:`~handlerkit.backends.base.Backend`."""
        values = self._session.run(self._outputs, {name: inputs[name] for name in self._inputs})
        return dict(zip(self._outputs, values, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
