from __future__ import annotations

from typing import Any

import pytest

from marline.spec.base import BrokenRules
from marline.spec.release import Autoscaling, Container, Front, Image, ReleaseVariant
from marline.spec.release_rules import between_endpoints, require

ONLY = {"model": "scaler", "version": "1.0.0", "variant": "onnx-fp32"}


def keys(data: dict[str, Any]) -> list[str]:
    return [".".join(path) for path, _ in between_endpoints(data)]


def test_one_endpoint_needs_neither_weight_nor_primary() -> None:
    assert between_endpoints({"variants": {"only": ONLY}}) == []
    assert between_endpoints({"variants": {"only": {**ONLY, "weight": 100}}, "primary": "only"}) == []


def test_several_endpoints_need_weights_that_are_whole_and_a_primary() -> None:
    parts = {"a": {**ONLY, "weight": 60}, "b": {**ONLY, "weight": 40}}
    assert keys({"variants": parts, "primary": "b"}) == []
    assert keys({"variants": parts}) == ["primary"]
    assert keys({"variants": {**parts, "c": ONLY}, "primary": "b"}) == ["variants.c.weight"]
    assert keys({"variants": {**parts, "c": {**ONLY, "weight": 1}}, "primary": "b"}) == ["variants.*.weight"]


@pytest.mark.parametrize("variants", [None, [], "main", {}, {"a": None}, {"a": []}])
def test_what_is_not_of_its_type_is_passed_over(variants: Any) -> None:
    assert between_endpoints({"variants": variants}) == []


def test_a_weight_that_is_no_number_is_not_added_up() -> None:
    parts = {"a": {**ONLY, "weight": "60"}, "b": {**ONLY, "weight": 41}}
    assert keys({"variants": parts, "primary": "a"}) == []


ROUTES = {"parent_refs": [{"name": "public"}]}


def test_behind_a_gateway_what_has_weight_has_pods() -> None:
    parts = {"a": {**ONLY, "weight": 100}, "b": {**ONLY, "weight": 0, "replicas": 0}}
    assert keys({"variants": parts, "primary": "a", "routes": ROUTES}) == []
    parts = {"a": {**ONLY, "weight": 99}, "b": {**ONLY, "weight": 1, "replicas": 0}}
    assert keys({"variants": parts, "primary": "a", "routes": ROUTES}) == ["variants.b.replicas"]
    assert keys({"variants": parts, "primary": "a"}) == []
    assert keys({"variants": {"a": {**ONLY, "replicas": 0}}, "routes": ROUTES}) == ["variants.a.replicas"]


def test_there_is_one_way_in() -> None:
    assert keys({"variants": {"a": ONLY}, "ingress": {}}) == []
    assert keys({"variants": {"a": ONLY}, "ingress": {}, "routes": None}) == []
    assert keys({"variants": {"a": ONLY}, "ingress": {}, "routes": ROUTES}) == ["ingress"]


@pytest.mark.parametrize("name", ["Main", "-main", "main-", "a_b", "a" * 41])
def test_an_endpoint_is_a_dns_label(name: str) -> None:
    assert keys({"variants": {name: ONLY}}) == [f"variants.{name}"]


@pytest.mark.parametrize(
    ("kind", "right", "change", "key"),
    [
        (Image, {"repository": "r", "tag": "1"}, {"tag": "latest"}, "tag"),
        (Image, {"repository": "r", "tag": "1"}, {"tag": None}, "tag"),
        (Container, {"cpu": 1, "cpu_request": 1}, {"cpu_request": 1.5}, "cpu_request"),
        (Container, {"memory_mb": 9, "memory_request_mb": 9}, {"memory_mb": 8}, "memory_request_mb"),
        (Autoscaling, {"max_replicas": 2, "min_replicas": 2}, {"min_replicas": 3}, "min_replicas"),
        (Autoscaling, {"max_replicas": 2, "queue": {"prometheus": "http://p"}}, {"memory_percent": 80}, "memory_percent"),
        (Front, {"headers_timeout_s": 5, "request_timeout_s": 5}, {"headers_timeout_s": 6}, "headers_timeout_s"),
        (ReleaseVariant, {**ONLY, "autoscaling": {"max_replicas": 2}}, {"replicas": 1}, "replicas"),
    ],
)
def test_a_broken_rule_names_its_key(kind: Any, right: dict[str, Any], change: dict[str, Any], key: str) -> None:
    kind.model_validate(right)
    with pytest.raises(ValueError) as caught:
        kind.model_validate({**right, **change})
    (problem,) = caught.value.errors()  # type: ignore[attr-defined]
    assert [path for path, _ in problem["ctx"]["error"].problems] == [(key,)]


def test_latest_may_stand_beside_a_digest() -> None:
    Image.model_validate({"repository": "r", "tag": "latest", "digest": "sha256:" + "0" * 64})


def test_require_raises_every_problem() -> None:
    require([])
    with pytest.raises(BrokenRules, match="a: one; b.c: two"):
        require([(("a",), "one"), (("b", "c"), "two")])
