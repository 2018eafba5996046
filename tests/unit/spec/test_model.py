from __future__ import annotations

import pytest
from pydantic import ValidationError

from marline.spec.model import ModelSpec

from .conftest import SPEC, TENSOR_SPEC, changed


def test_the_reference_is_eager_or_the_first_variant_of_a_brought_file():
    assert ModelSpec.model_validate(SPEC).reference == "eager-fp32"
    assert ModelSpec.model_validate(TENSOR_SPEC).reference == "torchscript-fp32"


def test_a_variant_overrides_single_inference_parameters():
    spec = ModelSpec.model_validate(changed(SPEC, ("variants.onnx-int8.inference_parameters", {"max_group": 3})))
    assert spec.inference("eager-fp32") == {
        "max_length": 64, "max_chars": 20000, "max_group": 8, "max_padding": 0.07, "head": "native",
    }
    assert spec.inference("onnx-int8") == {**spec.inference("eager-fp32"), "max_group": 3}


def test_a_variant_that_overrides_nothing_keeps_the_model_s_parameters_not_the_defaults():
    spec = ModelSpec.model_validate(changed(SPEC, ("inference_parameters.max_group", 5), ("variants.onnx-fp32", {})))
    assert spec.inference("onnx-fp32")["max_group"] == 5


def test_a_variant_that_depends_on_its_batch_computes_one_text_at_a_time_unless_told_otherwise():
    spec = ModelSpec.model_validate(SPEC)
    assert spec.inference("onnx-int8")["max_group"] == 1
    spec = ModelSpec.model_validate(changed(SPEC, ("variants.onnx-int8.inference_parameters", {"max_group": 8})))
    assert spec.inference("onnx-int8")["max_group"] == 8


def test_gates_in_force():
    spec = ModelSpec.model_validate(SPEC)
    assert spec.gates("onnx-int8").max_abs == 1.0
    assert spec.gates("eager-fp32").max_abs == 2.0


@pytest.mark.parametrize("document", [SPEC, TENSOR_SPEC])
def test_dumping_and_validating_again_changes_nothing(document):
    spec = ModelSpec.model_validate(document)
    again = ModelSpec.model_validate(spec.model_dump())
    assert again == spec
    assert [again.gates(v) for v in again.variants] == [spec.gates(v) for v in spec.variants]
    assert ModelSpec.model_validate_json(spec.model_dump_json()) == spec


def test_specs_are_frozen():
    spec = ModelSpec.model_validate(SPEC)
    with pytest.raises(ValidationError, match="frozen"):
        spec.name = "other"
