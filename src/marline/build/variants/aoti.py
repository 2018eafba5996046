"""From a text model to a ``.pt2``: exported with free shapes, compiled by AOTInductor for a fixed instruction set.

The library's bytes are those of the C++ compiler, so its version is a fact in the manifest.  The machine's
folders and the table of symbols, which names files, are kept out of it; the package around it is rewritten
by the artifact room.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from handlerkit.backends.columns import LEAST_TOKENS
from marline.build.sources import TextSource
from marline.build.variants.base import text_tensors
from marline.build.variants.trace import EXAMPLE, example
from marline.errors import BuildError
from marline.spec.model import ModelSpec

INSTRUCTIONS = "x86-64 with avx2, fma, f16c"
# the generated kernels have vectors of 256 bits, and no code may use what the build machine happens to have
ISA = {"cpp.simdlen": 256, "cpp.march": "x86-64", "cpp.vec_isa_ok": True}
STABLE = {
    "aot_inductor.model_name_for_generated_files": "model",
    "aot_inductor.enable_line_tables": False,
    "aot_inductor.precompile_headers": False,
    "compile_threads": 1,
    # constants folded or packed here would be this CPU's arithmetic and layout
    "freezing": False,
}


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: its path, and its version in one line."""

    path: str
    version: str


def compiler(name: str) -> Compiler:
    """The C++ compiler: ``CXX``, or g++.

    Args:
        name: model and variant, for errors.

    Raises:
        BuildError: when there is none, or it is not GCC.
    """
    command = os.environ.get("CXX", "g++")
    path = shutil.which(command)
    if path is None:
        raise BuildError(
            f"{name}: is compiled from C++ and there is no {command} on the PATH; install g++, or remove the variant"
        )
    found = subprocess.run([path, "-dumpfullversion", "-dumpversion"], capture_output=True, text=True, check=False)
    version = found.stdout.strip()
    if found.returncode or not re.fullmatch(r"[\d.]+", version):
        raise BuildError(f"{name}: {command} does not say which version of GCC it is; set CXX to a g++")
    return Compiler(path, f"g++ {version}")


def exported(text: TextSource, spec: ModelSpec, name: str) -> Any:
    """The model as a program of any number of texts and tokens that the manifest allows.

    Raises:
        BuildError: when the program would hold a constant of the example.
    """
    model = text.model()
    # attention in its textbook form with the mask made inside: nothing in it depends on what is masked
    model.plain(True)
    batch, tokens = text_tensors(spec, 1)[0][0].shape
    assert not isinstance(batch, int) and not isinstance(tokens, int)
    most = min(tokens.max, int(model.encoder.config.max_position_embeddings))
    free = {
        0: torch.export.Dim("batch", min=batch.min, max=batch.max),
        1: torch.export.Dim("tokens", min=LEAST_TOKENS, max=most),
    }
    with (
        warnings.catch_warnings(),
        torch.no_grad(),
        # one text is no special case
        torch.fx.experimental._config.patch(backed_size_oblivious=True),
    ):
        warnings.simplefilter("ignore")
        try:
            inputs = example(*EXAMPLE, model.encoder.config.vocab_size)
            return torch.export.export(model, inputs, dynamic_shapes=(free, free), strict=False)
        # torch._dynamo has no common base for what its users do wrong
        except Exception as error:
            raise BuildError(f"{name}: cannot be exported with free shapes: {_first_line(error)}") from error


def compile_package(program: Any, target: Path, scratch: Path, found: Compiler, name: str) -> None:
    """Compile ``program`` into ``target``, a library with the same bytes wherever the same compiler does it.

    Raises:
        BuildError: when it cannot be compiled, with the reason.
    """
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.utils import fresh_cache

    with tempfile.TemporaryDirectory(prefix="aoti-", dir=scratch) as folder:
        work = Path(folder).resolve()
        settings = {**ISA, **STABLE, "cpp.cxx": (None, str(_without_paths(work, found)))}
        try:
            with warnings.catch_warnings(), fresh_cache(dir=str(work), delete=False):
                warnings.simplefilter("ignore")
                aoti_compile_and_package(program, package_path=str(target), inductor_configs=settings)
        # a compiler's failure has many types
        except Exception as error:
            raise BuildError(f"{name}: cannot be compiled by {found.version}: {_first_line(error)}") from error


def _without_paths(work: Path, found: Compiler) -> Path:
    """The compiler as a script of our own, because torch has no setting for further options.

    Headers put their own paths into messages of errors, and the linker names every source file.
    """
    headers = Path(torch.__file__).resolve().parent.parent
    script = work / "g++"
    # the folder of the sources has a name by chance, which torch puts into the environment
    script.write_text(
        f"#!/bin/sh\nexec '{found.path}' \"$@\" -s '-ffile-prefix-map={headers}=' "
        '"-ffile-prefix-map=$TORCHINDUCTOR_CACHE_DIR=build"\n'
    )
    script.chmod(0o755)
    return script


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
