"""bf16 where the CPU has no instructions for it: the same numbers through fp32 products.

A bf16 product is defined as the fp32 sum of exact products, rounded once.  torch's fallback computes
that one number after the other; widened to fp32, the ordinary kernels compute it many times faster.
"""

from __future__ import annotations

import torch
from torch import nn

from handlerkit.backends.text_model import TextModel, WideLinear


def has_instructions() -> bool:
    """Whether torch computes bf16 products with instructions of this CPU."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fit(model: TextModel) -> TextModel:
    """The model as it is best run here: its bf16 layers widened where this CPU cannot do them itself."""
    if has_instructions():
        return model
    narrow = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and m.weight.dtype == torch.bfloat16]
    for name in narrow:
        model.set_submodule(name, WideLinear(model.get_submodule(name)))
    if narrow:
        model.wide()
    return model
