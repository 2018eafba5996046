"""onnx-int8-static: weights per channel, activations by ranges measured ahead: the batch has no say.

Dynamic int8 scales activations over the whole batch; here the scales are constants of the graph, so
an answer does not depend on what it is computed with, and nothing is measured per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_graph import counts, fused, layers
from marline.build.variants.onnx_static import observe, products, quantize, quantized
from marline.build.variants.sensitivity import choose
from marline.errors import BuildError

# query, key, value, attention output, and the two of the feed-forward block
PRODUCTS_PER_LAYER = 6
# each product in turn is a run over all rows
SENSITIVITY_ROWS = 32


def build(context: Context) -> Built:
    """Write ``model.onnx``.

    Raises:
        BuildError: when the calibration belongs to another graph, or fewer products were quantized
            than the model has.
    """
    assert context.text is not None and context.calibration is not None
    name = f"{context.spec.name} {context.variant}"
    ranges, kept = _section(context.calibration, name)
    source, target = fused(context, attention=False)[0], context.out / "model.onnx"
    inputs = products(source)
    again = f"run `marline train {context.spec.name}`"
    if missing := sorted((set(kept) - set(inputs)) | (set(inputs.values()) - set(ranges))):
        raise BuildError(f"{name}: the calibration file does not fit the graph at {missing[0]!r}; {again}")
    quantize(source, target, ranges, kept)
    done = quantized(target, context.shared)
    # a graph of fewer products than the architecture has is not what was meant to be quantized
    expected = max(PRODUCTS_PER_LAYER * layers(context.text.config), len(inputs)) - len(kept)
    if len(done) != expected:
        raise BuildError(
            f"{name}: {len(done)} of {expected} weighted products were quantized; "
            "the quantizer changed, check the versions against config/compat.yaml"
        )
    return Built(
        ("model.onnx",), ("onnxruntime",), {"quantized_products": len(done), "kept_fp32": kept, "nodes": counts(target)}
    )


def calibrate(context: Context, rows: list[Inputs]) -> dict[str, Any]:
    """Smallest and largest value of each product's input, and the products to leave in fp32.

    The ranges are not cut at a percentile: the few large values that encoders carry decide answers
    (0.999 of the values instead of all took 13 dB from the outputs of a six-layer encoder).

    Returns:
        ``ranges``: tensor name to [lowest, highest]; and what
        :func:`marline.build.variants.sensitivity.choose` returns.
    """
    source, target = fused(context, attention=False)[0], context.shared / "tried-static.onnx"
    ranges = observe(source, rows)

    def without(kept: list[str]) -> Path:
        quantize(source, target, ranges, kept)
        return target

    chosen = choose(list(products(source)), source, without, rows[:SENSITIVITY_ROWS], context.spec.task)
    return {"ranges": {t: list(r) for t, r in ranges.items()}} | chosen


def _section(calibration: Mapping[str, Any], name: str) -> tuple[dict[str, tuple[float, float]], list[str]]:
    if "ranges" not in calibration:
        raise BuildError(
            f"{name}: its section of the calibration file has no `ranges`; run `marline train {name.split()[0]}`"
        )
    return {t: (float(r[0]), float(r[1])) for t, r in calibration["ranges"].items()}, list(
        calibration.get("keep_fp32", [])
    )
