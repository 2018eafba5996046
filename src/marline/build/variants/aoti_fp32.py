"""aoti-fp32: the reference, exported and compiled to C++ for AVX2 ahead of time; loading needs no compiler."""

from __future__ import annotations

from handlerkit.machine import cpu_flags
from marline.build.variants.aoti import INSTRUCTIONS, compile_package, compiler, exported
from marline.build.variants.base import Built, Context
from marline.errors import BuildError
from marline.spec.names import VARIANTS


def build(context: Context) -> Built:
    """Write ``model.pt2``.

    Raises:
        BuildError: when the machine has no C++ compiler or lacks the instructions, without which torch
            would generate other code, or when the model cannot be exported or compiled.
    """
    assert context.text is not None
    name = f"{context.spec.name} {context.variant}"
    if missing := [flag for flag in VARIANTS[context.variant].cpu_flags if flag not in cpu_flags()]:
        raise BuildError(
            f"{name}: is compiled for CPUs with {missing[0]}, which this one lacks; build it on one that has it, or remove the variant"
        )
    found = compiler(name)
    compile_package(exported(context.text, context.spec, name), context.out / "model.pt2", context.shared, found, name)
    return Built(("model.pt2",), ("torch",), {"compiler": found.version, "instructions": INSTRUCTIONS})
