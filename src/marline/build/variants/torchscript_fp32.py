"""torchscript-fp32: the reference, traced; for a bring-your-own model, the file as it is."""

from __future__ import annotations

import shutil

from marline.build.variants.base import Built, Context
from marline.build.variants.trace import trace_text


def build(context: Context) -> Built:
    """Write ``model.pt``."""
    target = context.out / "model.pt"
    if context.text is None:
        shutil.copyfile(context.source.path, target)
        return Built(("model.pt",), ("torch",), {"origin": "brought"})
    trace_text(context.text.model(), target, f"{context.spec.name} {context.variant}")
    return Built(("model.pt",), ("torch",), {"origin": "traced"})
