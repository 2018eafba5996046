"""torchscript-fp32: the reference, traced; for a bring-your-own model, the file as it is."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import torch

from marline.build.variants.base import Built, Context
from marline.build.variants.trace import trace_text
from marline.errors import BuildError


def build(context: Context) -> Built:
    """Write ``model.pt``."""
    target = context.out / "model.pt"
    if context.text is None:
        if context.spec.submodule is None:
            shutil.copyfile(context.source.path, target)
            return Built(("model.pt",), ("torch",), {"origin": "brought"})
        save_submodule(context.source.path, context.spec.submodule, target, context.spec.name)
        return Built(("model.pt",), ("torch",), {"origin": "brought", "submodule": context.spec.submodule})
    trace_text(context.text.model(), target, f"{context.spec.name} {context.variant}")
    return Built(("model.pt",), ("torch",), {"origin": "traced"})


def save_submodule(source: Path, name: str, target: Path, model: str) -> None:
    """Save one module of a TorchScript file as a file of its own.

    Raises:
        BuildError: when the file has no such module, naming those it has.
    """
    with warnings.catch_warnings():
        # torch.jit warns that it is deprecated; who brings such a file has it in service
        warnings.simplefilter("ignore")
        whole = torch.jit.load(str(source), map_location="cpu")
        modules = dict(whole.named_modules())
        if name not in modules:
            there = ", ".join(sorted(n for n in modules if n and "." not in n))
            raise BuildError(
                f"{model}: {source.name} has no module {name!r} (there are: {there}); correct `submodule:`"
            )
        modules[name].eval().save(str(target))
