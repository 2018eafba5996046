from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from marline.build.variants import torch_int8
from marline.build.variants.torch_linear import DynamicLinear, engine, linears, quantized_weight
from marline.errors import BuildError
from unit.build.variants.small_static import LINEARS, again, eager, rows, small_context, sqnr_db, together, torchscript


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return small_context("torch-int8", tmp_path_factory.mktemp("first"))


def test_without_calibration_every_linear_is_quantized_and_close_to_fp32(context):
    built = torch_int8.build(context)
    assert built.facts == {"quantized_linears": LINEARS, "kept_fp32": []}
    batch = together(rows(8, seed=1))
    assert sqnr_db(eager(context, batch), torchscript(context.out / "model.pt", batch)) > 15


def test_the_calibration_s_layers_stay_fp32(context, tmp_path):
    calibration = json.loads(json.dumps(torch_int8.calibrate(context, rows())))
    assert set(calibration["keep_fp32"]) <= set(linears(context.text.model()))
    built = torch_int8.build(again(context, {"keep_fp32": ["head"]}, tmp_path))
    assert built.facts == {"quantized_linears": LINEARS - 1, "kept_fp32": ["head"]}


def test_a_layer_to_keep_that_is_not_there_is_an_error(context, tmp_path):
    with pytest.raises(BuildError) as failure:
        torch_int8.build(again(context, {"keep_fp32": ["tail"]}, tmp_path))
    assert str(failure.value) == (
        "toy torch-int8: the calibration file keeps 'tail' in fp32, which is no Linear layer of the model; run `marline train toy`"
    )


def test_weights_have_seven_bits_and_a_scale_per_channel():
    weight = torch.tensor([[1.0, -0.5], [100.0, 50.0], [0.0, 0.0]])
    packed = quantized_weight(weight)
    assert packed.int_repr().abs().max() == 63
    torch.testing.assert_close(packed.dequantize(), weight, atol=0, rtol=0.5 / 31)


def test_sums_of_the_largest_products_do_not_saturate():
    linear = torch.nn.Linear(64, 2, bias=False).requires_grad_(False)
    linear.weight.fill_(1.0)
    with engine("toy"):
        layer = DynamicLinear(linear)
        found = layer(torch.ones(1, 64))
    np.testing.assert_allclose(found.numpy(), 64.0, rtol=1e-3)


def test_without_x86_kernels_the_build_is_an_error(monkeypatch):
    monkeypatch.setattr("marline.build.variants.torch_linear.ENGINE", "abacus")
    with pytest.raises(BuildError, match=r"toy torch-int8: torch has no abacus kernels for int8 on this machine"), engine("toy torch-int8"):
        pass


def test_the_engine_is_put_back():
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "qnnpack"
    try:
        with engine("toy"):
            assert torch.backends.quantized.engine == "x86"
        assert torch.backends.quantized.engine == "qnnpack"
    finally:
        torch.backends.quantized.engine = before
