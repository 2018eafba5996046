"""torch-int8: torch.ao dynamic quantization of every Linear, traced to TorchScript."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from marline.build.variants.base import Built, Context
from marline.build.variants.trace import trace_text
from marline.errors import BuildError


def build(context: Context) -> Built:
    """Write ``model.pt``.

    Raises:
        BuildError: when a Linear was left in fp32.
    """
    assert context.text is not None
    model = context.text.model()
    expected = sum(isinstance(m, nn.Linear) for m in model.modules())
    with warnings.catch_warnings():
        # torch.ao.quantization announces its removal; the variant is for services that still have it
        warnings.simplefilter("ignore")
        quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    done = sum(isinstance(m, torch.ao.nn.quantized.dynamic.Linear) for m in quantized.modules())
    if done != expected:
        raise BuildError(f"{context.spec.name} {context.variant}: {done} of {expected} Linear layers were quantized; check the torch version")
    trace_text(quantized, context.out / "model.pt", f"{context.spec.name} {context.variant}")
    return Built(("model.pt",), ("torch",), {"quantized_linears": done})
