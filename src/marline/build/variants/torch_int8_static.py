"""torch-int8-static: Linear layers with activation ranges measured ahead, traced to TorchScript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.torch_linear import Make, StaticLinear, engine, linears, quantize
from marline.build.variants.torch_sensitivity import choose, observe
from marline.build.variants.trace import trace_text
from marline.errors import BuildError


def build(context: Context) -> Built:
    """Write ``model.pt``.

    Raises:
        BuildError: when the calibration lacks a layer's range or belongs to another model, or the
            machine has no int8 kernels.
    """
    assert context.text is not None and context.calibration is not None
    name, model = f"{context.spec.name} {context.variant}", context.text.model()
    ranges, kept = context.calibration.get("ranges", {}), list(context.calibration.get("keep_fp32", []))
    if missing := [n for n in linears(model) if n not in ranges]:
        raise BuildError(
            f"{name}: the calibration file has no range for {missing[0]!r}; run `marline train {context.spec.name}`"
        )
    with engine(name):
        done = quantize(model, _maker(ranges), kept, name)
        trace_text(model, context.out / "model.pt", name)
    return Built(("model.pt",), ("torch",), {"quantized_linears": done, "kept_fp32": kept})


def calibrate(context: Context, rows: list[Inputs]) -> dict[str, Any]:
    """Smallest and largest input of each layer, and the layers to leave in fp32 by measured SQNR.

    Returns:
        ``ranges``: layer name to [lowest, highest]; ``keep_fp32`` and ``sqnr_db`` as
        :func:`marline.build.variants.sensitivity.choose` has them.
    """
    assert context.text is not None
    ranges = observe(context.text.model(), rows)
    return {"ranges": {name: list(r) for name, r in ranges.items()}} | choose(context, _maker(ranges), rows)


def _maker(ranges: Mapping[str, Any]) -> Make:
    def make(name: str, linear: nn.Linear) -> nn.Module:
        low, high = ranges[name]
        return StaticLinear(linear, float(low), float(high))

    return make
