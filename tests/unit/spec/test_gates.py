from __future__ import annotations

import pytest
from pydantic import ValidationError

from marline.spec.gates import BUILT_IN, LIMITS, GateOverrides, Gates, default_gates
from marline.spec.names import VARIANTS


def overrides(**given):
    return GateOverrides.model_validate(given)


def test_what_is_not_written_is_the_variant_s_default():
    gates = overrides(min_agreement=0.99).over("torch-int8-static")
    assert gates == default_gates("torch-int8-static").model_copy(update={"min_agreement": 0.99})
    assert type(gates) is Gates
    assert overrides().over("onnx-int8") == Gates()


def test_a_value_equal_to_the_class_default_is_still_written():
    assert overrides(max_drop_points=0.5).over("torch-int8-static").max_drop_points == 0.5
    assert overrides().over("torch-int8-static").max_drop_points == BUILT_IN["torch-int8-static"]["max_drop_points"]


def test_only_what_was_written_is_serialized_and_it_round_trips():
    given = overrides(max_abs=1, reason="because it is so")
    assert given.model_dump() == {"max_abs": 1.0, "reason": "because it is so"}
    assert GateOverrides.model_validate(given.model_dump()).written == given.written


@pytest.mark.parametrize("limit", LIMITS)
def test_loosened_follows_the_limit_s_direction(limit):
    default = getattr(Gates(), limit)
    step = 1e-3
    up, down = overrides(**{limit: default + step}), overrides(**{limit: default - step})
    loose, strict = (down, up) if limit.startswith("min_") else (up, down)
    assert loose.loosened("onnx-int8") == [limit]
    assert strict.loosened("onnx-int8") == []
    assert overrides(**{limit: default}).loosened("onnx-int8") == []


def test_every_limit_says_its_direction_by_name():
    assert all(name.startswith(("min_", "max_")) for name in LIMITS)


def test_built_in_limits_belong_to_variants_and_are_limits():
    assert set(BUILT_IN) <= set(VARIANTS)
    assert all(set(limits) <= set(LIMITS) for limits in BUILT_IN.values())


def test_a_reason_alone_is_refused():
    with pytest.raises(ValidationError, match="a reason without a limit"):
        overrides(reason="for nothing at all")
