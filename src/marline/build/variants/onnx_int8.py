"""onnx-int8: dynamic, per channel, reduced range: right on every CPU.

Full-range signed weights saturate 16-bit sums where the CPU has no VNNI (ONNX Runtime, quantization
documentation), so the portable variant gives up one bit.
"""

from __future__ import annotations

from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_dynamic import build_dynamic


def build(context: Context) -> Built:
    """Write ``model.onnx``."""
    return build_dynamic(context, reduce_range=True)
