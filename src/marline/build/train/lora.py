"""Low-rank updates of linear layers (Hu et al. 2021, "LoRA"): small enough to commit, merged at build."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from marline.build.sources.text import LORA_SCALE

UPDATED = ("query", "key", "value", "dense")


class Updated(nn.Module):
    """A frozen linear layer plus ``scale * B @ A``; B starts at zero, so training starts at the encoder."""

    def __init__(self, frozen: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.frozen = frozen
        scale = 1 / math.sqrt(frozen.in_features)
        self.a = nn.Parameter(torch.randn(rank, frozen.in_features, generator=generator) * scale)
        self.b = nn.Parameter(torch.zeros(frozen.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """The frozen layer's output plus the update's."""
        out: Tensor = self.frozen(x) + (x @ self.a.T) @ self.b.T * LORA_SCALE
        return out


def wrap(encoder: nn.Module, frozen_layers: int, rank: int, seed: int) -> dict[str, Updated]:
    """Replace the linear layers above the lowest ``frozen_layers`` in place.

    Returns:
        Name of each replaced layer in the encoder, to its update.
    """
    generator = torch.Generator().manual_seed(seed)
    out: dict[str, Updated] = {}
    for name, module in list(encoder.named_modules()):
        parts = name.split(".")
        layer = next((int(p) for p in parts if p.isdigit()), None)
        if isinstance(module, nn.Linear) and layer is not None and layer >= frozen_layers and parts[-1] in UPDATED:
            out[name] = Updated(module, rank, generator)
            setattr(encoder.get_submodule(".".join(parts[:-1])), parts[-1], out[name])
    return out
