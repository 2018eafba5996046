"""What the chart tells a gateway: which endpoint answers which path, and with which share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chart.rendering import Chart, Manifest

NAME = "sentiment-marline"
HEADER = "x-marline-variant"
ARCHIVE = {"sha256": "0" * 64}


def routed(**variants: dict[str, Any]) -> str:
    """Values of a release behind a gateway; the first endpoint is the primary."""
    full = {
        name: {"model": "m", "version": "1.0.0", "variant": "v", "archive": ARCHIVE, **own}
        for name, own in variants.items()
    }
    return json.dumps({
        "image": {"repository": "r.example/x", "tag": "1"},
        "variants": full, "primary": next(iter(full)),
        "routes": {"enabled": True, "parentRefs": [{"name": "public"}]},
    })  # fmt: skip


def rules(chart: Chart, scenario: str | None, values: str = "") -> list[Manifest]:
    found: list[Manifest] = chart.objects(scenario, values).one("HTTPRoute")["spec"]["rules"]
    return found


def backends(rule: Manifest) -> dict[str, int]:
    """Weight by endpoint."""
    return {ref["name"].removeprefix(f"{NAME}-"): ref.get("weight", 1) for ref in rule["backendRefs"]}


def answering(found: list[Manifest], path: str, variant: str | None = None) -> tuple[dict[str, int], str]:
    """The endpoints that the Gateway API chooses for a request, and the path that they get."""
    best: tuple[tuple[int, int, int], Manifest] | None = None
    for rule in found:
        for match in rule["matches"]:
            value, exact = match["path"]["value"], match["path"]["type"] == "Exact"
            headers = match.get("headers", [])
            if not (path == value if exact else f"{path}/".startswith(f"{value}/")):
                continue
            if any(variant != header["value"] for header in headers):
                continue
            rank = (int(exact), len(value), len(headers))
            if best is None or rank > best[0]:
                best = (rank, rule)
    if best is None:
        return {}, ""
    for entry in best[1].get("filters", []):
        change = entry["urlRewrite"]["path"]
        if change["type"] == "ReplaceFullPath":
            return backends(best[1]), change["replaceFullPath"]
        prefix = best[1]["matches"][0]["path"]["value"]
        return backends(best[1]), change["replacePrefixMatch"].rstrip("/") + path.removeprefix(prefix)
    return backends(best[1]), path


SHARED = {"canary": 10, "dark": 0, "stable": 90}


@pytest.mark.parametrize(
    ("path", "variant", "endpoints", "asked"),
    [
        ("/predictions/sentiment", None, SHARED, None),
        ("/invocations", None, SHARED, None),
        ("/v1/models/sentiment:predict", None, SHARED, None),
        ("/v2/models/sentiment/infer", None, SHARED, None),
        ("/predictions/sentiment", "gold", SHARED, None),
        ("/predictions/sentiment", "dark", {"dark": 1}, None),
        ("/invocations", "stable", {"stable": 1}, None),
        ("/variants/dark/predictions/sentiment", None, {"dark": 1}, None),
        ("/variants/dark/invocations", "stable", {"dark": 1}, None),
        ("/invocations/sentiment/canary", None, {"canary": 1}, None),
        ("/predictions/sentiment/1.0.0", None, {"stable": 1}, "/predictions/sentiment/1.0.0-onnx-int8-static"),
        ("/predictions/sentiment/1.0.0-onnx-int8-static", None, {"stable": 1}, None),
        # two endpoints have it: the greater weight
        ("/predictions/sentiment/1.1.0", None, {"canary": 1}, "/predictions/sentiment/1.1.0-onnx-int8-static"),
        ("/predictions/sentiment/1.1.0-onnx-fp32", None, {"dark": 1}, None),
        ("/predictions/sentiment/1.1.0", "dark", {"canary": 1}, "/predictions/sentiment/1.1.0-onnx-int8-static"),
        ("/predictions/sentiment/2.0.0", None, {}, ""),
        ("/predictions/other", None, {}, ""),
        ("/variants/darker/predictions/sentiment", None, {}, ""),
        ("/models", None, {}, ""),
        ("/ping", None, {}, ""),
    ],
)
def test_a_request_is_for(
    chart: Chart, path: str, variant: str | None, endpoints: dict[str, int], asked: str | None
) -> None:
    found = rules(chart, "routes")
    assert answering(found, path, variant) == (endpoints, path if asked is None else asked)


def test_without_a_front_the_gateway_takes_the_endpoint_off_the_path(chart: Chart) -> None:
    found = rules(chart, "routes", "front: {enabled: false}")
    assert answering(found, "/variants/dark/predictions/sentiment") == ({"dark": 1}, "/predictions/sentiment")
    assert answering(found, "/invocations/sentiment/dark") == ({}, "")


def test_a_version_of_several_goes_to_the_greatest_weight_then_the_primary(chart: Chart) -> None:
    found = rules(chart, None, routed(b={"weight": 50}, a={"weight": 50}))
    assert answering(found, "/predictions/m/1.0.0")[0] == {"b": 1}
    assert answering(found, "/predictions/m/1.0.0-v")[0] == {"b": 1}
    heavy = rules(chart, None, routed(a={"weight": 10}, b={"weight": 30}, c={"weight": 60}))
    assert answering(heavy, "/predictions/m/1.0.0")[0] == {"c": 1}
    dark = rules(chart, None, routed(p={"weight": 100, "version": "2.0.0"}, b={"weight": 0}, a={"weight": 0}))
    assert answering(dark, "/predictions/m/1.0.0")[0] == {"a": 1}


def test_a_single_variant_has_all(chart: Chart) -> None:
    assert answering(rules(chart, None, routed(only={})), "/predictions/m")[0] == {"only": 100}


def test_each_model_has_its_own_shares(chart: Chart) -> None:
    # a model on either side of it in the alphabet
    parts = {
        "p": {"weight": 60},
        "a": {"weight": 20, "model": "other"},
        "c": {"weight": 10, "model": "a"},
        "b": {"weight": 10},
    }
    found = rules(chart, None, routed(**parts))
    assert answering(found, "/predictions/m")[0] == {"p": 60, "b": 10}
    assert answering(found, "/predictions/other")[0] == {"a": 20}
    assert answering(found, "/predictions/a")[0] == {"c": 10}
    # it names no model, so it asks that of the primary
    assert answering(found, "/invocations")[0] == {"p": 60, "b": 10}
    assert answering(found, "/invocations", "a")[0] == {"a": 1}
    shared = [match for rule in found for match in rule["matches"] if "headers" not in match]
    assert [match["path"]["value"] for match in shared].count("/invocations") == 1


def test_a_new_weight_is_one_field(chart: Chart) -> None:
    before = chart.objects("routes").one("HTTPRoute")
    values = {"variants": {"canary": {"weight": 0}, "dark": {"weight": 1}, "stable": {"weight": 99}}}
    after = chart.objects("routes", json.dumps(values)).one("HTTPRoute")
    assert [ref["weight"] for ref in after["spec"]["rules"][-1]["backendRefs"]] == [0, 1, 99]
    for ref, weight in zip(after["spec"]["rules"][-1]["backendRefs"], (10, 0, 90), strict=True):
        ref["weight"] = weight
    # the plain version 1.1.0 goes with the weight, and nothing else
    assert after["spec"]["rules"][2:] == before["spec"]["rules"][2:]


def test_backends_are_the_services_and_their_port(chart: Chart) -> None:
    objects = chart.objects("routes", "service: {port: 80}")
    ports = {service["metadata"]["name"]: service["spec"]["ports"][0]["port"] for service in objects.of("Service")}
    for rule in objects.one("HTTPRoute")["spec"]["rules"]:
        assert all(ports[ref["name"]] == ref["port"] == 80 for ref in rule["backendRefs"])


def test_gateway_names_and_timeouts_are_passed_on(chart: Chart) -> None:
    route = chart.objects("routes").one("HTTPRoute")
    assert route["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateway", "sectionName": "https"}]
    assert route["spec"]["hostnames"] == ["sentiment.example.com"]
    assert all(rule["timeouts"] == {"request": "90s", "backendRequest": "60s"} for rule in route["spec"]["rules"])
    plain = chart.objects(None, routed(only={})).one("HTTPRoute")
    assert "hostnames" not in plain["spec"] and "annotations" not in plain["metadata"]
    assert all("timeouts" not in rule for rule in plain["spec"]["rules"])


def test_an_ingress_leads_to_the_primary_alone(chart: Chart) -> None:
    objects = chart.objects("two-variants", "ingress: {enabled: true, hosts: [a.example.com, b.example.com]}")
    entries = objects.one("Ingress")["spec"]["rules"]
    assert [entry["host"] for entry in entries] == ["a.example.com", "b.example.com"]
    services = {entry["http"]["paths"][0]["backend"]["service"]["name"] for entry in entries}
    assert services == {NAME}
    assert not objects.of("HTTPRoute")


@pytest.mark.parametrize("scenario", ["minimal", "two-variants", "production"])
def test_nothing_is_let_in_from_outside_by_default(chart: Chart, scenario: str) -> None:
    assert not chart.objects(scenario).of("HTTPRoute") and not chart.objects(scenario).of("Ingress")
