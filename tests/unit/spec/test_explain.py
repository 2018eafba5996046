"""Every wrong value is named with its key, its line and what is allowed."""

from __future__ import annotations

import re

import pytest

from .conftest import DELETE, SPEC, TENSOR_SPEC, changed

WRONG = [
    # (spec, key, value, what the message must hold besides the key)
    (SPEC, "name", "Has Space", "allowed: text"),
    (SPEC, "name", 7, "such as sentiment"),
    (SPEC, "version", "1.0", "such as 1.0.0"),
    (SPEC, "version", 1.0, "1.0 is not allowed; allowed: text (in quotes"),
    (SPEC, "version", "1.0.0-rc1", "such as 1.0.0"),
    (SPEC, "version", DELETE, "required key is missing; add it, allowed: text"),
    (SPEC, "licence", "", "of at least 1 characters"),
    (SPEC, "task", "sentiment", "allowed: text-classification, embedding, tensor"),
    (SPEC, "task", DELETE, "required key is missing; add it, allowed: text-classification, embedding, tensor"),
    (SPEC, "head", "linear", "allowed: mean-linear, mean-normalize, native"),
    (SPEC, "labels", "yes", "allowed: a list"),
    (SPEC, "labels.0", 1, "1 is not allowed; allowed: text"),
    (SPEC, "source", "pypi", "allowed: a mapping"),
    (SPEC, "source", DELETE, "required key is missing"),
    (SPEC, "source.kind", DELETE, "required key is missing; add it, allowed: pypi, hub, file"),
    (SPEC, "source.kind", "pip", "'pip' is not allowed; allowed: pypi, hub, file"),
    (SPEC, "source.sha256", "abc", "matching ^[0-9a-f]{64}$"),
    (SPEC, "source.sha256", DELETE, "required key is missing"),
    (SPEC, "source.sdist", "yes", "allowed: true or false"),
    (SPEC, "source.packge", "x", "unknown key; did you mean 'package'? allowed: kind, package, path, sdist, sha256, version"),
    (SPEC, "data.reader", "csv", "allowed: vader-movie-reviews"),
    (SPEC, "data.source.kind", "hub", "allowed: pypi"),
    (SPEC, "data.shares.trian", 0.1, "unknown key; allowed: train, calibration, gate, test"),
    (SPEC, "data.shares.train", 0.6, "the sum 1.1; allowed: each of train, calibration, gate, test, with the sum 1"),
    (SPEC, "data.shares.train", "half", "allowed: a number > 0 and < 1"),
    (SPEC, "training.epochs", 0, "allowed: a whole number >= 1 and <= 20"),
    (SPEC, "training.epochs", 1.5, "allowed: a whole number >= 1 and <= 20"),
    (SPEC, "training.learning_rate", "fast", "allowed: a number > 0"),
    (SPEC, "training.learning_rat", 0.1, "did you mean 'learning_rate'? allowed: batch_size, epochs"),
    (SPEC, "inference_parameters.max_padding", 1, "allowed: a number >= 0 and < 1"),
    (SPEC, "inference_parameters.max_length", True, "allowed: a whole number >= 4 and <= 8192"),
    (SPEC, "variants", {}, "allowed: a mapping of keys to values, at least 1"),
    (SPEC, "variants", ["eager-fp32"], "allowed: a mapping of keys to values"),
    (SPEC, "variants.onnx-int4", {}, "unknown variant; allowed: eager-fp32, torchscript-fp32"),
    (SPEC, "variants.onnx-int8", None, "None is not allowed; allowed: a mapping with the keys gates, golden_atol"),
    (SPEC, "variants.onnx-int8.requird", True, "did you mean 'required'? allowed: gates, golden_atol, inference_parameters, required"),
    (SPEC, "variants.onnx-int8.required", "yes", "allowed: true or false"),
    (SPEC, "variants.onnx-int8.gates.min_agreement", 2, "allowed: a number >= 0 and <= 1"),
    (SPEC, "variants.onnx-int8.gates.min_agreement", None, "None is not allowed; allowed: a number >= 0 and <= 1"),
    (SPEC, "variants.onnx-int8.gates.min_sqnr_db", float("nan"), "nan is not allowed; allowed: a finite number"),
    (SPEC, "variants.onnx-int8.gates.max_rss_mb", float("inf"), "inf is not allowed; allowed: a number > 0"),
    (SPEC, "variants.onnx-int8.gates.min_agreemnt", 1, "did you mean 'min_agreement'?"),
    (SPEC, "variants.onnx-int8.gates.reason", "short", "of at least 10 characters"),
    (SPEC, "variants.onnx-int8.inference_parameters.max_lenth", 9, "did you mean 'max_length'?"),
    (SPEC, "variants.onnx-int8.golden_atol", 0, "allowed: a number > 0"),
    (SPEC, "serving.min_workers", 3, "3 is greater than max_workers 2; allowed: min_workers <= max_workers"),
    (SPEC, "serving.max_batch_delay_ms", -1, "allowed: a whole number >= 0 and <= 1000"),
    (SPEC, "serving.max_worker", 2, "did you mean 'max_workers'?"),
    (SPEC, "nam", "x", "did you mean 'name'? allowed: calibration, data, description"),
    (TENSOR_SPEC, "inputs.0.dtype", "float", "allowed: float32, float64, float16, int64, int32, uint8, bool"),
    (TENSOR_SPEC, "inputs.0.shape", 4, "allowed: a list"),
    (TENSOR_SPEC, "inputs.0.shape.0", "n", "'n' is not allowed; allowed: a whole number >= 1"),
    (TENSOR_SPEC, "inputs.0.shape.0", 0, "allowed: a whole number >= 1"),
    (TENSOR_SPEC, "inputs.0.shape.1.max", 0, "allowed: a whole number >= 1"),
    (TENSOR_SPEC, "inputs.0.shape.1.min", 10, "min 10 is greater than max 9; allowed: min <= max"),
    (TENSOR_SPEC, "inputs.0.shape.1.maximum", 4, "unknown key; did you mean 'max'? allowed: max, min, name"),
    (TENSOR_SPEC, "inputs.0.shape.1.name", DELETE, "required key is missing"),
    (TENSOR_SPEC, "submodule", "a..b", "allowed: text"),
]


@pytest.mark.parametrize(("spec", "key", "value", "sentence"), WRONG, ids=[f"{w[1]}={w[2]!r:.20}" for w in WRONG])
def test_a_wrong_value_is_one_problem_that_names_key_and_allowed(problems, spec, key, value, sentence):
    found = problems(changed(spec, (key, value)))
    assert len(found) == 1, found
    where = key if "the sum" not in sentence else "data.shares"
    assert re.match(rf"(\d+:)? ({re.escape(where)}): ", found[0]), found[0]
    assert sentence in found[0]


def test_all_problems_of_a_file_at_once_in_the_order_of_its_lines(problems):
    found = problems(
        changed(
            SPEC,
            ("version", "one"),
            ("source.packge", "x"),
            ("inference_parameters.max_length", 1),
            ("variants.onnx-int8.gates.max_abs", 50),
            ("serving.min_workers", 9),
            ("serving.colour", "red"),
        )
    )
    keys = [re.match(r"\d+: ([^:]+): ", problem)[1] for problem in found]
    assert keys == [
        "version", "source.packge", "inference_parameters.max_length", "variants.onnx-int8.gates.max_abs",
        "serving.min_workers", "serving.colour",
    ]


def test_what_follows_from_a_wrong_value_is_not_a_second_problem(problems):
    assert len(problems(changed(SPEC, ("labels", "yes")))) == 1
    assert len(problems(changed(SPEC, ("head", "mean-linear"), ("training", DELETE), ("trained", {"file": "a"})))) == 1


def test_the_line_is_the_line_of_the_key(problems):
    text = "name: toy\n\nversion: 1.0\n"
    assert any(p.startswith("3: version: ") for p in problems(text))


def test_a_whole_number_is_good_for_a_float_and_nothing_else_is_converted(problems):
    assert problems(changed(SPEC, ("variants.onnx-int8.golden_atol", 1))) == []
    assert problems(changed(SPEC, ("variants.onnx-int8.golden_atol", "1")))
    assert problems(changed(SPEC, ("serving.min_workers", 1.0)))
