from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from marline.build.variants import onnx_int8_static, onnx_static
from marline.build.variants.onnx_graph import fused
from marline.errors import BuildError
from unit.build.variants.small_static import LAYERS, again, eager, rows, small_context, sqnr_db, together

PRODUCTS = 6 * LAYERS


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return small_context("onnx-int8-static", tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def calibration(context):
    return json.loads(json.dumps(onnx_int8_static.calibrate(context, rows())))


def answers(path, inputs):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))[0]


def test_calibration_has_a_range_for_every_product_and_measured_choices(context, calibration):
    inputs = onnx_static.products(fused(context, attention=False)[0])
    assert len(inputs) == PRODUCTS and set(calibration["ranges"]) == set(inputs.values())
    assert all(low < high for low, high in calibration["ranges"].values())
    assert set(calibration["keep_fp32"]) <= set(inputs)
    measured = calibration["sqnr_db"]
    assert set(measured["keeping"]) == set(calibration["keep_fp32"])
    assert all(value > measured["everything quantized"] for value in measured["keeping"].values())


def test_the_graph_is_close_to_fp32_and_counts_what_it_quantized(context, calibration, tmp_path):
    built = onnx_int8_static.build(at := again(context, calibration | {"keep_fp32": []}, tmp_path))
    assert built.facts["quantized_products"] == PRODUCTS and built.files == ("model.onnx",)
    assert [p.name for p in at.out.iterdir()] == ["model.onnx"]
    batch = together(rows(8, seed=1))
    assert sqnr_db(eager(context, batch), answers(at.out / "model.onnx", batch)) > 12


def test_products_kept_stay_fp32_and_are_recorded(context, calibration, tmp_path):
    kept = list(onnx_static.products(fused(context, attention=False)[0]))[:2]
    built = onnx_int8_static.build(at := again(context, calibration | {"keep_fp32": kept}, tmp_path))
    assert built.facts["quantized_products"] == PRODUCTS - 2 and built.facts["kept_fp32"] == kept
    graph = onnx.load(str(at.out / "model.onnx")).graph
    dequantized = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    plain = [n.name for n in graph.node if n.op_type == "MatMul" and not set(n.input) & dequantized]
    assert set(kept) <= set(plain) and len(plain) == 2 + 2 * LAYERS


def test_weights_have_seven_bits_a_scale_per_channel_and_a_zero_point_of_zero(context, calibration, tmp_path):
    onnx_int8_static.build(at := again(context, calibration | {"keep_fp32": []}, tmp_path))
    values = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(str(at.out / "model.onnx")).graph.initializer}
    weights = [v for v in values.values() if v.dtype == np.int8 and v.ndim == 2]
    assert len(weights) == PRODUCTS and all(np.abs(w).max() <= 64 for w in weights)
    scales = [v for n, v in values.items() if n.endswith("_scale") and v.ndim == 1 and v.size > 1]
    assert len(scales) == PRODUCTS


def test_an_answer_does_not_depend_on_the_batch(context, calibration, tmp_path):
    onnx_int8_static.build(at := again(context, calibration, tmp_path))
    inputs = rows(8, seed=2)
    alone = np.concatenate([answers(at.out / "model.onnx", i) for i in inputs])
    np.testing.assert_allclose(answers(at.out / "model.onnx", together(inputs)), alone, atol=0.02 * np.abs(alone).max())


def test_the_same_calibration_gives_the_same_bytes(context, calibration, tmp_path):
    files = []
    for name in ("a", "b"):
        onnx_int8_static.build(at := again(context, calibration, tmp_path / name))
        files.append((at.out / "model.onnx").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("change", ["range", "kept"])
def test_a_calibration_of_another_graph_is_an_error(context, calibration, change, tmp_path):
    other = json.loads(json.dumps(calibration))
    if change == "range":
        gone = sorted(other["ranges"])[0]
        del other["ranges"][gone]
    else:
        gone = "/no/such/MatMul"
        other["keep_fp32"] = [gone]
    with pytest.raises(BuildError) as failure:
        onnx_int8_static.build(again(context, other, tmp_path))
    assert str(failure.value) == (
        f"toy onnx-int8-static: the calibration file does not fit the graph at {gone!r}; run `marline train toy`"
    )
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_a_section_without_ranges_is_an_error(context, tmp_path):
    with pytest.raises(BuildError, match="has no `ranges`; run `marline train toy`"):
        onnx_int8_static.build(again(context, {"keep_fp32": []}, tmp_path))


def test_products_that_the_session_would_not_compute_in_integers_are_an_error(context, calibration, tmp_path, monkeypatch):
    one = next(iter(onnx_static.products(fused(context, attention=False)[0])))
    real = onnx_static.quantize
    monkeypatch.setattr(onnx_int8_static, "quantize", lambda source, target, ranges, kept: real(source, target, ranges, [*kept, one]))
    with pytest.raises(BuildError, match=rf"{PRODUCTS - 1} of {PRODUCTS} weighted products were quantized"):
        onnx_int8_static.build(again(context, calibration | {"keep_fp32": []}, tmp_path))
