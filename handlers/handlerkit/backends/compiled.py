"""``torch.compile``: the model becomes C++ for this very CPU while the worker loads, and never again.

One program serves every number of texts and tokens: the number of texts is unknown to the compiler, so that one
text is no special case, and the number of tokens is a variable from two upwards.  Whatever would need another
program is an error, not a pause of half a minute.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handlerkit.backends.columns import at_least_two
from handlerkit.backends.realtorch import real_torch
from handlerkit.errors import LoadError
from handlerkit.manifest import Dim, Manifest

EXAMPLE = (2, 16)
NAMES = ("input_ids", "attention_mask")
SETTINGS = {
    # a pool of compiling processes would stay in memory beside the worker
    "compile_threads": 1,
    # the CPU says what it can; compiling a trial program for each instruction set costs seconds
    "cpp.vec_isa_ok": True,
}


class CompiledBackend:
    """``config.json`` and ``model.safetensors`` as eager has them, compiled and warmed up.

    The compiler's files are in the system's folder for temporary files until the model is warm.
    """

    def __init__(self, manifest: Manifest, directory: Path, threads: int) -> None:
        who = f"{manifest.model} {manifest.served_version}"
        compiler = _compiler(who)
        self._torch, self._threads = real_torch(threads), threads
        from torch._inductor import config
        from torch._inductor.utils import fresh_cache

        from handlerkit.backends.weights import text_model

        model = text_model(manifest, directory)
        model.plain(True)
        self._output = manifest.outputs[0].name
        self._model = self._torch.compile(model, fullgraph=True, dynamic=True)
        try:
            with (
                tempfile.TemporaryDirectory(prefix="marline-compile-") as scratch,
                fresh_cache(dir=scratch, delete=False),
                config.patch(SETTINGS),
            ):
                self._compile()
                for shape in _extremes(manifest):
                    self.run(_ones(shape))
        # compilers fail in many ways: no header, no space, no right to execute
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise LoadError(
                f"{who} cannot be compiled on this machine by {compiler}: {reason}; "
                "install Python's headers and a newer compiler, or serve another variant"
            ) from error

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See :class:`~handlerkit.backends.base.Backend`.

        Raises:
            RuntimeError: for inputs that would need another program.
        """
        tensors = self._tensors(inputs)
        with self._torch.compiler.set_stance("fail_on_recompile"), self._torch.no_grad():
            out = self._model(*tensors)
        return {self._output: out.numpy()}

    def _compile(self) -> None:
        tensors = self._tensors(_ones(EXAMPLE))
        for tensor in tensors:
            self._torch._dynamo.decorators.mark_unbacked(tensor, 0)
            self._torch._dynamo.mark_dynamic(tensor, 1)
        with self._torch.no_grad():
            self._model(*tensors)

    def _tensors(self, inputs: Mapping[str, np.ndarray]) -> list[Any]:
        # the number is a condition of the program, and OpenMP's default in a thread that is not the loading one
        if self._torch.get_num_threads() != self._threads:
            self._torch.set_num_threads(self._threads)
        found = at_least_two({name: inputs[name] for name in NAMES})
        return [self._torch.from_numpy(np.ascontiguousarray(found[name])) for name in NAMES]


def _compiler(who: str) -> str:
    """The C++ compiler that torch will call.

    Raises:
        LoadError: when there is none.
    """
    name = os.environ.get("CXX", "g++")
    if shutil.which(name) is None:
        raise LoadError(
            f"{who} is compiled while it is loaded and needs a C++ compiler, but there is no {name} on the PATH; "
            "install g++, or serve another variant, such as aoti-fp32, which is compiled when it is built"
        )
    return name


def _extremes(manifest: Manifest) -> list[tuple[int, int]]:
    """Shapes at the ends of what the handler may ask: one text and a full group, the fewest tokens and the most."""
    most = next(d.max for t in manifest.inputs for d in t.shape if isinstance(d, Dim) and d.name == "tokens")
    group = int(manifest.inference_parameters["max_group"])
    return [(1, 1), (1, most), (group, 1), (group, most)]


def _ones(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    return {name: np.ones(shape, np.int64) for name in NAMES}
