"""The encoder with its head as one torch module: the reference that every variant comes from.

Imported only where torch and transformers are there (build, and the eager backend).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import logging

# it remarks on keys of a configuration that no training loss needs here
logging.set_verbosity_error()

HEADS = ("mean-linear", "mean-normalize", "native")


def _plain_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """Attention in the textbook form (Vaswani et al. 2017), which ONNX Runtime's optimizer recognises and fuses."""
    scores = torch.matmul(query, key.transpose(-1, -2)) / (1.0 / scaling)
    weights = nn.functional.softmax(scores + attention_mask, dim=-1)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


def _wide_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention in fp32 between tensors of a narrower type, see :mod:`handlerkit.backends.bf16`."""
    mask = attention_mask
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.float()
    out = nn.functional.scaled_dot_product_attention(
        query.float(), key.float(), value.float(), attn_mask=mask, scale=scaling
    )
    return out.to(query.dtype).transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register("marline-plain", _plain_attention)
ALL_ATTENTION_FUNCTIONS.register("marline-wide", _wide_attention)
# masks as sdpa has them
ALL_MASK_ATTENTION_FUNCTIONS.register("marline-wide", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


class TextModel(nn.Module):
    """Token ids to one output per text.

    Args:
        config: the encoder's transformers configuration as a dict.
        head: ``mean-linear`` (masked mean of the last layer, then a linear layer: logits),
            ``mean-normalize`` (masked mean, scaled to length 1: an embedding), or ``native`` (the
            architecture's own sequence classification head: logits).
        classes: outputs of a ``mean-linear`` head.

    Shapes:
        input_ids, attention_mask: int64 (batch, tokens); the output: always float32 (batch, classes or width).
    """

    def __init__(self, config: dict[str, Any], head: str, classes: int) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"head {head!r} is unknown (allowed: {', '.join(HEADS)})")
        settings = AutoConfig.for_model(**config)
        settings._attn_implementation = "sdpa"
        self.head_kind = head
        if head == "native":
            self.encoder = AutoModelForSequenceClassification.from_config(settings, attn_implementation="sdpa")
        else:
            options = {"add_pooling_layer": False} if config["model_type"] == "bert" else {}
            self.encoder = AutoModel.from_config(settings, attn_implementation="sdpa", **options)
        self.head = nn.Linear(settings.hidden_size, classes) if head == "mean-linear" else nn.Identity()
        self._additive_mask = False

    def plain(self, on: bool) -> None:
        """Switch to textbook attention with an additive mask made here (for export), or back to sdpa."""
        self.encoder.set_attn_implementation("marline-plain" if on else "sdpa")
        self._additive_mask = on

    def wide(self) -> None:
        """Compute attention in fp32, whatever the type of the weights."""
        self.encoder.set_attn_implementation("marline-wide")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits or embeddings, see the class."""
        mask = attention_mask
        if self._additive_mask:
            mask = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * -10000.0
        result = self.encoder(input_ids=input_ids, attention_mask=mask, return_dict=False)[0]
        if result.dtype != torch.float32:
            # mean and head in fp32: rounded logits would be equal where one of them is larger
            result = result.float()
        if self.head_kind == "native":
            return result
        weights = attention_mask.unsqueeze(-1).to(result.dtype)
        mean = (result * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return self.head(mean) if self.head_kind == "mean-linear" else nn.functional.normalize(mean, dim=1)


class WideLinear(nn.Module):
    """A bf16 Linear layer with its weights kept in fp32, see :mod:`handlerkit.backends.bf16`.

    Args:
        linear: the layer; it is not changed.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight.detach().float()
        self.bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, rounded to the type of ``x``."""
        return nn.functional.linear(x.float(), self.weight, self.bias).to(x.dtype)
