from __future__ import annotations

import pytest

from .conftest import DELETE, SHA, SPEC, TENSOR_SPEC, changed

LOOSE = ("variants.onnx-int8.gates.min_agreement", 0.5)
TORCH = {"torchscript-fp32": {}}

BROKEN = [
    (SPEC, [LOOSE], "variants.onnx-int8.gates.min_agreement", "looser than the default 0.97 without a reason"),
    (SPEC, [("variants.onnx-int8-static", {})], "variants.onnx-int8-static", "needs calibrated activation ranges"),
    (SPEC, [("variants.eager-fp32", DELETE)], "variants", "eager-fp32 is the reference of a text model"),
    (SPEC, [("head", DELETE)], "head", "required for task text-classification; allowed: mean-linear, native"),
    (SPEC, [("head", "mean-normalize")], "head", "does not fit for task text-classification; allowed: mean-linear, native"),
    (SPEC, [("task", "embedding")], "head", "native does not fit for task embedding; allowed: mean-normalize"),
    (SPEC, [("labels", ["one"])], "labels", "at least two are needed"),
    (SPEC, [("labels", ["a", "b", "a"])], "labels", "'a' is listed twice"),
    (SPEC, [("head", "mean-linear"), ("training", DELETE)], "trained", "a mean-linear head needs its weights"),
    (SPEC, [("inputs", TENSOR_SPEC["inputs"])], "inputs", "only for task tensor; remove it"),
    (SPEC, [("submodule", "encoder")], "submodule", "only for task tensor"),
    (TENSOR_SPEC, [("inputs", DELETE)], "inputs", "required for task tensor; list each tensor's name, dtype and shape"),
    (TENSOR_SPEC, [("outputs", [])], "outputs", "required for task tensor"),
    (TENSOR_SPEC, [("outputs", [*TENSOR_SPEC["outputs"], dict(TENSOR_SPEC["outputs"][0], dtype="int64", shape=[2])])], "outputs", "'y' is listed twice"),
    (TENSOR_SPEC, [("head", "native")], "head", "not for task tensor; remove it"),
    (TENSOR_SPEC, [("variants", {**TORCH, "onnx-fp32": {}})], "variants", "a tensor model's file has one format"),
    (TENSOR_SPEC, [("variants.eager-fp32", {})], "variants.eager-fp32", "a tensor model is a file, not code"),
    (TENSOR_SPEC, [("variants.compile-fp32", {})], "variants.compile-fp32", "a tensor model is a file, not code"),
    (TENSOR_SPEC, [("variants.aoti-fp32", {})], "variants.aoti-fp32", "a tensor model is a file, not code"),
    (TENSOR_SPEC, [("submodule", "a.b"), ("variants", {"onnx-fp32": {}})], "submodule", "only a TorchScript module has parts"),
]


@pytest.mark.parametrize(("spec", "changes", "key", "sentence"), BROKEN, ids=[f"{b[2]}:{b[3][:20]}" for b in BROKEN])
def test_a_broken_rule_is_one_problem_at_its_key(problems, spec, changes, key, sentence):
    (found,) = problems(changed(spec, *changes))
    assert f" {key}: " in found
    assert sentence in found


def test_the_repaired_specs_are_valid(problems):
    reason = ("variants.onnx-int8.gates.reason", "measured, see the report")
    assert problems(SPEC) == []
    assert problems(TENSOR_SPEC) == []
    assert problems(changed(SPEC, LOOSE, reason)) == []
    assert problems(changed(SPEC, ("task", "embedding"), ("head", "mean-normalize"), ("labels", DELETE))) == []
    assert problems(changed(TENSOR_SPEC, ("submodule", "a.b"))) == []


def test_a_calibrated_variant_with_its_ranges_is_valid(problems, tmp_path):
    (tmp_path / "c.json").touch()
    assert problems(changed(SPEC, ("variants.onnx-int8-static", {}), ("calibration", {"file": "c.json", "sha256": SHA}))) == []
