from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from marline.build.variants import torch_int8_static
from marline.build.variants.torch_linear import StaticLinear, engine, linears
from marline.errors import BuildError
from unit.build.variants.small_static import LINEARS, again, eager, rows, small_context, sqnr_db, together, torchscript


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return small_context("torch-int8-static", tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def calibration(context):
    return json.loads(json.dumps(torch_int8_static.calibrate(context, rows())))


def test_calibration_has_a_range_for_every_linear_and_measured_choices(context, calibration):
    names = linears(context.text.model())
    assert len(names) == LINEARS and list(calibration["ranges"]) == names
    assert set(calibration["keep_fp32"]) <= set(names)
    measured = calibration["sqnr_db"]
    assert set(measured["keeping"]) == set(calibration["keep_fp32"])
    assert all(value > measured["everything quantized"] for value in measured["keeping"].values())


def test_ranges_are_those_of_the_inputs_over_all_rows(context, calibration):
    seen = []
    model = context.text.model()
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numpy()))
    with torch.no_grad():
        for row in rows():
            model(torch.from_numpy(row["input_ids"]), torch.from_numpy(row["attention_mask"]))
    assert calibration["ranges"]["head"] == pytest.approx([np.min(seen), np.max(seen)], abs=1e-4)


def test_the_trace_is_close_to_fp32_and_counts_what_it_quantized(context, calibration, tmp_path):
    built = torch_int8_static.build(at := again(context, calibration | {"keep_fp32": []}, tmp_path))
    assert built.facts == {"quantized_linears": LINEARS, "kept_fp32": []}
    batch = together(rows(8, seed=1))
    assert sqnr_db(eager(context, batch), torchscript(at.out / "model.pt", batch)) > 12


def test_layers_kept_are_recorded_and_stay_fp32(context, calibration, tmp_path):
    names = linears(context.text.model())
    built = torch_int8_static.build(at := again(context, calibration | {"keep_fp32": names}, tmp_path))
    assert built.facts == {"quantized_linears": 0, "kept_fp32": names}
    batch = together(rows(8, seed=1))
    assert sqnr_db(eager(context, batch), torchscript(at.out / "model.pt", batch)) > 80


def test_an_answer_does_not_depend_on_the_batch(context, calibration, tmp_path):
    torch_int8_static.build(at := again(context, calibration, tmp_path))
    inputs = rows(8, seed=2)
    alone = np.concatenate([torchscript(at.out / "model.pt", i) for i in inputs])
    np.testing.assert_allclose(torchscript(at.out / "model.pt", together(inputs)), alone, atol=0.02 * np.abs(alone).max())


@pytest.mark.parametrize(("low", "high", "cut"), [(-1.0, 3.0, 3.0), (0.5, 2.0, 2.0), (-2.0, -0.5, 0.0)])
def test_a_static_layer_cuts_inputs_at_its_range_which_always_has_zero(low, high, cut):
    linear = torch.nn.Linear(1, 1, bias=False).requires_grad_(False)
    linear.weight.fill_(1.0)
    with engine("toy"):
        layer = StaticLinear(linear, low, high)
        assert float(layer(torch.tensor([[100.0]]))) == pytest.approx(cut, abs=0.03)
        assert float(layer(torch.tensor([[0.0]]))) == 0.0


def test_a_missing_range_is_an_error(context, calibration, tmp_path):
    ranges = {name: r for name, r in calibration["ranges"].items() if name != "head"}
    with pytest.raises(BuildError) as failure:
        torch_int8_static.build(again(context, calibration | {"ranges": ranges}, tmp_path))
    assert str(failure.value) == "toy torch-int8-static: the calibration file has no range for 'head'; run `marline train toy`"
    assert not (tmp_path / "out" / "model.pt").exists()
