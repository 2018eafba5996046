"""TorchScript files, fp32 or quantized."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handlerkit.backends.realtorch import real_torch
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest


class TorchScriptBackend:
    """A scripted or traced module, called with the manifest's inputs in order."""

    def __init__(self, manifest: Manifest, directory: Path, threads: int) -> None:
        self._torch = real_torch(threads)
        path = directory / manifest.file(".pt")
        try:
            with warnings.catch_warnings():
                # torch.jit says that it is deprecated; who serves this variant knows
                warnings.simplefilter("ignore")
                self._module = self._torch.jit.load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or ["unreadable"])[0][:300]
            raise LoadError(
                f"{path} cannot be loaded by torch {self._torch.__version__}: {reason}; rebuild the archive"
            ) from error
        # the profiling executor specialises on the first shapes it sees and compiles anew for others
        self._torch._C._jit_set_profiling_mode(False)
        self._inputs = [tensor.name for tensor in manifest.inputs]
        self._outputs = [tensor.name for tensor in manifest.outputs]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See :class:`~handlerkit.backends.base.Backend`."""
        with self._torch.inference_mode():
            values = self._module(*(self._torch.from_numpy(np.ascontiguousarray(inputs[n])) for n in self._inputs))
        if not isinstance(values, tuple | list):
            values = (values,)
        return {name: value.numpy() for name, value in zip(self._outputs, values, strict=True)}
