"""A ``.pt2`` of AOTInductor: C++ that was compiled when the archive was built; loading needs no compiler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handlerkit.backends.columns import at_least_two
from handlerkit.backends.realtorch import real_torch
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest

NAMES = ("input_ids", "attention_mask")


class AotiBackend:
    """The program of a ``.pt2`` file.

    Its instructions are those that the manifest's ``requirements.cpu_flags`` name:
    :func:`handlerkit.machine.require` has looked before it is loaded, for the program itself would only crash.
    """

    def __init__(self, manifest: Manifest, directory: Path, threads: int) -> None:
        self._torch = real_torch(threads)
        path = directory / manifest.file(".pt2")
        try:
            from torch._inductor import aoti_load_package

            self._program = aoti_load_package(str(path))
        # torch raises what its C++ raised: a damaged archive, a library of another C library
        except Exception as error:
            reason = (str(error).strip().splitlines() or ["unreadable"])[0][:300]
            raise LoadError(
                f"{path} cannot be loaded by torch {self._torch.__version__}: {reason}; rebuild the archive"
            ) from error
        self._output = manifest.outputs[0].name

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See :class:`~handlerkit.backends.base.Backend`."""
        found = at_least_two({name: inputs[name] for name in NAMES})
        with self._torch.inference_mode():
            out = self._program(*(self._torch.from_numpy(np.ascontiguousarray(found[name])) for name in NAMES))
        return {self._output: out.numpy()}
