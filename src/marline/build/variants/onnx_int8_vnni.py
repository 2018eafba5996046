"""onnx-int8-vnni: dynamic, per channel, full range; needs the CPU flag avx512_vnni to be right."""

from __future__ import annotations

from typing import Any

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_dynamic import build_dynamic, calibrate_dynamic


def build(context: Context) -> Built:
    """Write ``model.onnx``."""
    return build_dynamic(context, reduce_range=False)


def build_exact_twin(context: Context) -> Built:
    """The same model with unsigned weights, whose integer products are exact on every CPU.

    Signed weights plus 128 with a zero point plus 128 are the same integers, see
    :func:`marline.build.variants.onnx_dynamic.unsigned`.  The gate measures quality through the twin
    where the CPU lacks VNNI, so that quality belongs to the artifact and not to the machine.
    """
    return build_dynamic(context, reduce_range=False, exact=True)


def calibrate(context: Context, rows: list[Inputs]) -> dict[str, Any]:
    """Measured through the exact twin, so that every machine measures what VNNI computes."""
    return calibrate_dynamic(context, rows, reduce_range=False, exact=True)
