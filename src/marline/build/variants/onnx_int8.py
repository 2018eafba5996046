"""onnx-int8: dynamic, per channel, reduced range: right on every CPU.

Full-range signed weights saturate 16-bit sums where the CPU has no VNNI (ONNX Runtime, quantization
documentation), so the portable variant gives up one bit.
"""

from __future__ import annotations

from typing import Any

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_dynamic import build_dynamic, calibrate_dynamic


def build(context: Context) -> Built:
    """Write ``model.onnx``."""
    return build_dynamic(context, reduce_range=True)


def calibrate(context: Context, rows: list[Inputs]) -> dict[str, Any]:
    """See :func:`marline.build.variants.onnx_dynamic.calibrate_dynamic`."""
    return calibrate_dynamic(context, rows, reduce_range=True)
