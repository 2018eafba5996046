"""What a release says of its ways in, as the chart's values, which the chart takes."""

from __future__ import annotations

from collections.abc import Callable

from marline.rollout.plan import Plan

GATEWAY = {"name": "public", "namespace": "gateways", "section_name": "https", "port": 443}


def test_a_release_says_nothing_of_a_way_in_that_it_lacks(planned: Callable[..., Plan]) -> None:
    assert not {"routes", "ingress"} & set(planned().values)


def test_routes_are_passed_on_under_the_names_of_the_chart(planned: Callable[..., Plan]) -> None:
    routes = {
        "parent_refs": [GATEWAY, {"name": "inner", "namespace": None}],
        "hostnames": ["scaler.example.com"],
        "annotations": {"request_s": "kept"},
        "timeouts": {"request_s": 90, "backend_request_s": 60},
    }
    assert planned(("routes", routes)).values["routes"] == {
        "enabled": True,
        "parentRefs": [
            {"name": "public", "namespace": "gateways", "sectionName": "https", "port": 443},
            {"name": "inner"},
        ],
        "hostnames": ["scaler.example.com"],
        "annotations": {"request_s": "kept"},
        "timeouts": {"requestSeconds": 90, "backendRequestSeconds": 60},
    }
    least = {"parent_refs": [{"name": "public"}]}
    assert planned(("routes", least)).values["routes"] == {"enabled": True, "parentRefs": [{"name": "public"}]}


def test_an_ingress_is_passed_on_under_the_names_of_the_chart(planned: Callable[..., Plan]) -> None:
    tls = [{"hosts": ["a.com"], "secret_name": "a"}]
    ingress = {"class_name": "nginx", "hosts": ["a.com"], "tls": tls, "annotations": {"x": "y"}}
    assert planned(("ingress", ingress)).values["ingress"] == {
        "enabled": True,
        "className": "nginx",
        "hosts": ["a.com"],
        "tls": [{"hosts": ["a.com"], "secretName": "a"}],
        "annotations": {"x": "y"},
    }
    assert planned(("ingress", {})).values["ingress"] == {"enabled": True}
