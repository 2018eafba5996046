"""int8 Linear layers for torch: 7-bit weights per channel, 8-bit activations, results in fp32.

torch's own recipe has 8-bit weights and, so that sums of products do not saturate on CPUs without
VNNI, 7-bit activations.  The other way round is as safe and loses less: weights have a scale per
channel, activations one for all (13.9 dB with the recipe and 17.2 with it per channel, 21.8 this
way, on the outputs of a six-layer encoder).  Results are not quantized: the next operation is fp32.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.ao.nn.quantized.modules.linear import LinearPackedParams

from marline.errors import BuildError

ENGINE = "x86"
WEIGHT_MAX = 63
INPUT_MAX = 255
Make = Callable[[str, nn.Linear], nn.Module]


class _Int8Linear(nn.Module):
    """Holds the packed weights; a subclass says how inputs are scaled.

    Args:
        linear: the fp32 layer.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # torch announces the removal of quantized tensors; compat.yaml pins a version that has them
            warnings.simplefilter("ignore")
            self.packed = LinearPackedParams(dtype=torch.qint8)
            self.packed.set_weight_bias(quantized_weight(linear.weight), linear.bias)


class DynamicLinear(_Int8Linear):
    """Inputs scaled by the lowest and highest value of the whole batch, found at run time."""

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output in fp32."""
        out: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed._packed_params, reduce_range=False)
        return out


class StaticLinear(_Int8Linear):
    """Inputs scaled by constants.

    Args:
        linear: the fp32 layer.
        low, high: the range of its input; values beyond are cut.
    """

    def __init__(self, linear: nn.Linear, low: float, high: float) -> None:
        super().__init__(linear)
        low, high = min(low, 0.0), max(high, 0.0)
        self.scale = max((high - low) / INPUT_MAX, 1e-8)
        self.zero_point = round(-low / self.scale)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output in fp32."""
        out: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            x, self.scale, self.zero_point, self.packed._packed_params
        )
        return out


def quantized_weight(weight: Tensor) -> Tensor:
    """Signed 7-bit weights with a scale per output channel; in float64, so that every CPU gets the same bits."""
    values = weight.detach().numpy().astype(np.float64)
    scales = np.maximum(np.abs(values).max(axis=1), 1e-12) / WEIGHT_MAX
    whole = torch.from_numpy(np.rint(values / scales[:, None]).astype(np.int8))
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    out: Tensor = torch._make_per_channel_quantized_tensor(whole, torch.from_numpy(scales), zeros, 0)
    return out


def linears(model: nn.Module) -> list[str]:
    """Names of the Linear layers, in the model's order."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]


def quantize(model: nn.Module, make: Make, keep_fp32: Collection[str], name: str) -> int:
    """Replace the Linear layers of ``model`` in place, but for those to keep.

    Args:
        model: the fp32 model.
        make: from a layer's name and the layer to what replaces it.
        keep_fp32: names of layers to leave.
        name: model and variant, for errors.

    Returns:
        How many layers were replaced.

    Raises:
        BuildError: when a layer to keep is not there.
    """
    names = linears(model)
    if unknown := sorted(set(keep_fp32) - set(names)):
        raise BuildError(
            f"{name}: the calibration file keeps {unknown[0]!r} in fp32, which is no Linear layer of the model; "
            f"run `marline train {name.split()[0]}`"
        )
    chosen = [n for n in names if n not in keep_fp32]
    for each in chosen:
        model.set_submodule(each, make(each, model.get_submodule(each)))
    return len(chosen)


@contextmanager
def engine(name: str) -> Iterator[None]:
    """The x86 kernels of torch inside the block; ``name`` is model and variant, for errors.

    Raises:
        BuildError: when this torch has no such kernels.
    """
    before = torch.backends.quantized.engine
    if ENGINE not in torch.backends.quantized.supported_engines:
        raise BuildError(
            f"{name}: torch has no {ENGINE} kernels for int8 on this machine; build on an x86 machine or remove the variant"
        )
    torch.backends.quantized.engine = ENGINE
    try:
        yield
    finally:
        torch.backends.quantized.engine = before
