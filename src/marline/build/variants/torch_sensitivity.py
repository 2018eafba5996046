"""Ranges of a torch model's Linear layers, and which of them to leave in fp32, on calibration rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from marline.build.gate.compare import compare
from marline.build.gate.exam import Inputs
from marline.build.variants.base import Context
from marline.build.variants.sensitivity import DECIMALS, best_kept
from marline.build.variants.torch_linear import Make, engine, linears, quantize

RANGE_DECIMALS = 4
# each layer in turn is a run over all rows
ROWS = 32


def observe(model: nn.Module, rows: Sequence[Inputs]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each Linear layer's input over all rows."""
    found: dict[str, tuple[float, float]] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def seen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            low, high = found.get(name, (float("inf"), float("-inf")))
            found[name] = (min(low, float(inputs[0].min())), max(high, float(inputs[0].max())))

        return seen

    handles = [model.get_submodule(name).register_forward_pre_hook(watch(name)) for name in linears(model)]
    outputs_of(model, rows)
    for handle in handles:
        handle.remove()
    return {name: (round(low, RANGE_DECIMALS), round(high, RANGE_DECIMALS)) for name, (low, high) in found.items()}


def outputs_of(model: nn.Module, rows: Sequence[Inputs]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The model's output for each row alone, as (rows, numbers)."""
    with torch.no_grad():
        return np.stack(
            [
                model(torch.from_numpy(row["input_ids"]), torch.from_numpy(row["attention_mask"]))[0]
                .numpy()
                .astype(np.float64)
                for row in rows
            ]
        )


def choose(context: Context, make: Make, rows: Sequence[Inputs]) -> dict[str, Any]:
    """As :func:`marline.build.variants.sensitivity.choose` does for graphs: each layer left in fp32 in turn."""
    assert context.text is not None
    text, name, few = context.text, f"{context.spec.name} {context.variant}", rows[:ROWS]
    wanted = outputs_of(text.model(), few)

    def sqnr(kept: list[str]) -> float:
        model = text.model()
        quantize(model, make, kept, name)
        return round(compare(wanted, outputs_of(model, few), context.spec.task, 1.0).sqnr_db, DECIMALS)

    with engine(name):
        return best_kept(linears(text.model()), sqnr)
