from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from marline.build.gate.compare import compare
from marline.build.sources import ModelSource, TextSource
from marline.build.variants import Built, Context, onnx_graph
from marline.build.variants.onnx_dynamic import quantize, unsigned
from marline.build.variants.onnx_int8_vnni import build_exact_twin
from marline.errors import BuildError
from marline.spec.model import ModelSpec
from unit.build import tiny

Made = dict[str, tuple[Built, np.ndarray, Path]]


@pytest.fixture(scope="module")
def made(spec: ModelSpec, source: ModelSource, text: TextSource, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every variant: what was built, its answers, its folder."""
    root, asked = tmp_path_factory.mktemp("variants"), tiny.questions(text)
    out = {}
    for name in ("eager-fp32", "torchscript-fp32", "torch-int8", "onnx-fp32", "onnx-int8"):
        context = Context(spec, name, source, text, None, root / name, shared)
        built, backend = tiny.make(context)
        out[name] = (built, tiny.answers(backend, asked), context.out)
    # the twin is loaded as a portable variant: it needs no VNNI
    context = Context(spec, "onnx-int8", source, text, None, root / "twin", shared)
    context.out.mkdir()
    built = build_exact_twin(context)
    out["twin"] = (built, tiny.answers(tiny.finish(context, built), asked), context.out)
    return out


def test_the_questions_are_worth_asking(made: Made):
    logits = made["eager-fp32"][1]
    assert logits.argmax(1).tolist() == [0, 1] * 12
    assert np.abs(logits[:, 0] - logits[:, 1]).min() > 1


@pytest.mark.parametrize(
    ("variant", "max_abs", "sqnr_db"),
    [("torchscript-fp32", 1e-3, 70), ("onnx-fp32", 5e-3, 55), ("torch-int8", 2, 15), ("onnx-int8", 2, 15), ("twin", 2, 15)],
)
def test_every_variant_agrees_with_eager(variant: str, max_abs: float, sqnr_db: float, made: Made):
    found = compare(made["eager-fp32"][1], made[variant][1], "text-classification", 1)
    assert found.agreement == 1.0
    assert found.max_abs < max_abs
    assert found.sqnr_db > sqnr_db


def test_full_range_is_closer_than_reduced(made: Made):
    eager = made["eager-fp32"][1]
    full, reduced = (compare(eager, made[n][1], "text-classification", 1).sqnr_db for n in ("twin", "onnx-int8"))
    assert full > reduced


def test_every_layer_is_fused_and_every_product_quantized(made: Made):
    nodes = made["onnx-fp32"][0].facts["nodes"]
    assert nodes["Attention"] == 2
    assert nodes["SkipLayerNormalization"] == 4
    quantized = made["onnx-int8"][0].facts["nodes"]
    assert (quantized["QAttention"], quantized["MatMulInteger"]) == (2, 3 * 2 + 1)


def test_no_variant_knows_the_machine_s_paths(made: Made):
    for name in ("onnx-fp32", "onnx-int8", "twin"):
        content = (made[name][2] / "model.onnx").read_bytes()
        assert str(Path(__file__).parents[4]).encode() not in content
        assert str(made[name][2]).encode() not in content


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ({"Attention": 1}, "toy onnx-fp32: 1 of 2 Attention nodes were fused; "),
        ({"SkipLayerNormalization": 3}, "toy onnx-fp32: 3 of 4 LayerNormalization nodes were fused; "),
        ({"BiasGelu": 0}, "toy onnx-fp32: 0 of 2 Gelu nodes were fused; "),
    ],
)
def test_a_layer_that_was_not_fused_is_named(lost: dict[str, int], sentence: str, made: Made, context: Callable[[str], Context]):
    whole = dict(made["onnx-fp32"][0].facts["nodes"])
    onnx_graph.check(context("onnx-fp32"), whole, 2)
    with pytest.raises(BuildError, match=f"^{sentence}the exporter or the optimizer changed, check the versions"):
        onnx_graph.check(context("onnx-fp32"), whole | lost, 2)


def test_an_activation_that_the_optimizer_does_not_know_is_refused(context: Callable[[str], Context], text: TextSource, tmp_path: Path):
    other = dataclasses.replace(text, config=text.config | {"hidden_act": "relu"})
    made = dataclasses.replace(context("onnx-fp32"), text=other, shared=tmp_path)
    with pytest.raises(BuildError, match="0 of 2 Gelu nodes were fused"):
        onnx_graph.fused(made)


def test_a_file_that_is_no_graph_is_one_sentence(tmp_path: Path):
    (tmp_path / "m.onnx").write_bytes(b"not a graph")
    with pytest.raises(BuildError, match=r"^m.onnx: is not an ONNX graph \(.*\); correct `source` in the spec$"):
        onnx_graph.counts(tmp_path / "m.onnx")


def _integers(graph: Path) -> dict[str, np.ndarray]:
    """Every product's weight minus its zero point."""
    model = onnx.load(str(graph)).graph
    known = {i.name: numpy_helper.to_array(i).astype(np.int64) for i in model.initializer}
    return {
        node.name: known[node.input[1]] - known[node.input[3 if node.op_type == "MatMulInteger" else 7]]
        for node in model.node if node.op_type in ("MatMulInteger", "QAttention")
    }  # fmt: skip


def test_the_twin_s_integers_are_those_of_the_artifact(made: Made, spec: ModelSpec, source: ModelSource, text: TextSource, shared: Path, tmp_path: Path):
    artifact = Context(spec, "onnx-int8-vnni", source, text, None, tmp_path / "vnni", shared)
    artifact.out.mkdir()
    from marline.build.variants import build_variant

    build_variant(artifact)
    own, twin = _integers(artifact.out / "model.onnx"), _integers(made["twin"][2] / "model.onnx")
    assert own.keys() == twin.keys()
    assert len(own) == 9
    for name in own:
        np.testing.assert_array_equal(own[name], twin[name], err_msg=name)
        assert np.abs(own[name]).max() == 127


def test_a_product_that_would_saturate_sixteen_bits_is_exact_in_the_twin(tmp_path: Path):
    rng = np.random.default_rng(0)
    # neighbours of the same sign and full size: 2 * 255 * 127 does not fit 16 bits
    weight = np.sign(rng.normal(size=(32, 1, 16))).repeat(2, axis=1).reshape(64, 16).astype(np.float32)
    weight *= rng.uniform(0.9, 1.0, size=weight.shape).astype(np.float32)
    x = rng.uniform(0.5, 1.0, size=(5, 64)).astype(np.float32)
    rows = [5, 64]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5, 16])], [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "m.onnx"))
    quantize(tmp_path / "m.onnx", tmp_path / "q.onnx", False, [])
    unsigned(tmp_path / "q.onnx")
    found = ort.InferenceSession(str(tmp_path / "q.onnx"), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]

    scale_x = np.float32(x.max() / 255)
    integers = np.rint(x / scale_x).astype(np.int64)
    scale_w = np.abs(weight).max(axis=0) / 127
    products = integers @ np.rint(weight / scale_w).astype(np.int64)
    np.testing.assert_allclose(found, products * (scale_x * scale_w), rtol=1e-5, atol=1e-5)
