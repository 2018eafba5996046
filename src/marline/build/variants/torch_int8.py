"""torch-int8: dynamic quantization of the Linear layers, traced to TorchScript."""

from __future__ import annotations

from typing import Any

from torch import nn

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.torch_linear import DynamicLinear, engine, quantize
from marline.build.variants.torch_sensitivity import choose
from marline.build.variants.trace import trace_text


def build(context: Context) -> Built:
    """Write ``model.pt``; the layers that a calibration keeps stay in fp32, without one none does.

    Raises:
        BuildError: when the calibration belongs to another model, or the machine has no int8 kernels.
    """
    assert context.text is not None
    name, model = f"{context.spec.name} {context.variant}", context.text.model()
    kept = list((context.calibration or {}).get("keep_fp32", []))
    with engine(name):
        done = quantize(model, _make, kept, name)
        trace_text(model, context.out / "model.pt", name)
    return Built(("model.pt",), ("torch",), {"quantized_linears": done, "kept_fp32": kept})


def calibrate(context: Context, rows: list[Inputs]) -> dict[str, Any]:
    """The layers to leave in fp32, by measured SQNR."""
    return choose(context, _make, rows)


def _make(_: str, linear: nn.Linear) -> nn.Module:
    return DynamicLinear(linear)
