"""compile-fp32: the reference's files, compiled for the very CPU by each worker that loads them; needs g++ there."""

from __future__ import annotations

from marline.build.variants import eager_fp32
from marline.build.variants.base import Built, Context


def build(context: Context) -> Built:
    """Write ``config.json`` and ``model.safetensors``; nothing of a machine is in them."""
    return eager_fp32.build(context)
