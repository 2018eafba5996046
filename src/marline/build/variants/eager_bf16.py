"""eager-bf16: weights and activations of the encoder in bf16, in safetensors; mean and linear head stay in fp32."""

from __future__ import annotations

import json

import torch
from safetensors.torch import save_file

from marline.build.variants.base import Built, Context


def build(context: Context) -> Built:
    """Write ``config.json`` and ``model.safetensors``, half as large as the reference's.

    Rounding is to the nearest bf16 number, ties to even, on every CPU.  No CPU flag is required: a CPU
    without bf16 instructions gives the same answers more slowly, which is for the gate to measure.
    """
    assert context.text is not None
    (context.out / "config.json").write_text(json.dumps(context.text.config, indent=2, sort_keys=True) + "\n")
    weights = {
        name: tensor if name.startswith("head.") else tensor.to(torch.bfloat16)
        for name, tensor in ((n, torch.from_numpy(v)) for n, v in sorted(context.text.weights.items()))
    }
    save_file(weights, context.out / "model.safetensors")
    narrow = sum(tensor.dtype == torch.bfloat16 for tensor in weights.values())
    return Built(
        ("config.json", "model.safetensors"), ("torch", "transformers", "safetensors"), {"bf16_tensors": narrow}
    )
