"""Names, Services, autoscalers, budgets, policies and notes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

import marline
from chart.rendering import CHART, ENDPOINT, NAMESPACE, Chart, selects, settings_of

NAME = f"sentiment-marline-{ENDPOINT}"
LABEL = re.compile(r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")


def over(**keys: Any) -> str:
    """Values of the one variant, as YAML."""
    return json.dumps({"variants": {ENDPOINT: keys}})


def scaled(**keys: Any) -> str:
    """Values of an autoscaled variant."""
    return over(autoscaling={"enabled": True, **keys})


class TestNames:
    def test_long_names_are_cut_and_stay_different(self, chart: Chart) -> None:
        endpoints = [f"{'a' * 38}-{letter}" for letter in "bc"]
        archive = {"sha256": "0" * 64}
        variants = {
            e: {"model": "m", "version": "1.0.0", "variant": "v", "archive": archive, "weight": 50} for e in endpoints
        }
        values = json.dumps(
            {"image": {"repository": "r.example/x", "tag": "1"}, "variants": variants, "primary": endpoints[0]}
        )
        objects = chart.objects(None, values, release="r" * 53)
        names = [item["metadata"]["name"] for item in objects.of("Service")]
        assert len(set(names)) == 3 and all(LABEL.match(name) for name in names), names
        assert len({item["metadata"]["name"] for item in objects.of("Pod")}) == 2

    def test_dots_of_a_release_are_not_in_names(self, chart: Chart) -> None:
        objects = chart.objects(release="a.b")
        assert all(LABEL.match(item["metadata"]["name"].removesuffix(".test")) for item in objects)
        assert objects.one("Deployment")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "a.b"

    def test_release_of_digits_needs_a_name(self, chart: Chart) -> None:
        names = {i["metadata"]["name"] for i in chart.objects(values="fullnameOverride: m", release="7").of("Service")}
        assert names == {"m", f"m-{ENDPOINT}"}

    def test_two_releases_share_no_pod(self, chart: Chart) -> None:
        one, two = (chart.objects(release=release).one("Deployment")["spec"] for release in ("one", "two"))
        assert not selects(one["selector"]["matchLabels"], two["template"]["metadata"]["labels"])

    def test_app_version_is_that_of_marline(self) -> None:
        assert yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"] == marline.__version__


class TestServices:
    def test_main_service_selects_the_primary(self, chart: Chart) -> None:
        objects = chart.objects("two-variants")
        assert objects.one("Service", "sentiment-marline")["spec"]["selector"]["marline.dev/endpoint"] == "stable"
        other = chart.objects("two-variants", "primary: canary").one("Service", "sentiment-marline")
        assert other["spec"]["selector"]["marline.dev/endpoint"] == "canary"

    def test_only_the_front_is_exposed(self, chart: Chart) -> None:
        for service in chart.objects("two-variants").of("Service"):
            assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(8080, 8080)]


class TestDefaults:
    def test_false_and_zero_of_a_variant_win(self, chart: Chart) -> None:
        values = {
            "defaults": {"autoscaling": {"enabled": True}, "replicas": 3},
            "variants": {ENDPOINT: {"replicas": 0, "autoscaling": {"enabled": False}}},
        }
        objects = chart.objects(values=json.dumps(values))
        assert objects.one("Deployment")["spec"]["replicas"] == 0
        assert not objects.of("HorizontalPodAutoscaler")

    def test_one_variants_keys_are_not_the_others(self, chart: Chart) -> None:
        settings = {
            name: yaml.safe_load(settings_of(metadata))["server"]
            for name, metadata, _ in chart.objects("two-variants").pods()
        }
        assert [settings[f"sentiment-marline-{e}"]["workers"] for e in ("stable", "canary")] == [2, 1]
        assert [settings[f"sentiment-marline-{e}"]["threads"] for e in ("stable", "canary")] == [1, 2]


class TestAutoscaling:
    def test_without_it_the_deployment_says_how_many(self, chart: Chart) -> None:
        assert chart.objects(values=over(replicas=4)).one("Deployment")["spec"]["replicas"] == 4

    @pytest.mark.parametrize("scenario", ["hpa", "keda", "production"])
    def test_an_owned_number_is_left_out(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        assert "replicas" not in objects.one("Deployment")["spec"]
        assert len(objects.of("HorizontalPodAutoscaler")) + len(objects.of("ScaledObject")) == 1

    def test_cpu_is_that_of_the_server_alone(self, chart: Chart) -> None:
        metrics = chart.objects(values=scaled()).one("HorizontalPodAutoscaler")["spec"]["metrics"]
        target = {"type": "Utilization", "averageUtilization": 70}
        assert metrics == [
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "server", "target": target}}
        ]

    def test_memory_alone_is_alone(self, chart: Chart) -> None:
        spec = chart.objects(values=scaled(memory={"targetUtilization": 80})).one("HorizontalPodAutoscaler")["spec"]
        assert [item["containerResource"]["name"] for item in spec["metrics"]] == ["memory"]

    def test_metric_of_pods(self, chart: Chart) -> None:
        values = scaled(podMetric={"name": "marline_pending_requests", "target": 2.5})
        metrics = chart.objects(values=values).one("HorizontalPodAutoscaler")["spec"]["metrics"]
        target = {"type": "AverageValue", "averageValue": "2.5"}
        assert metrics == [{"type": "Pods", "pods": {"metric": {"name": "marline_pending_requests"}, "target": target}}]

    def test_behaviour_keeps_what_is_not_said(self, chart: Chart) -> None:
        behavior = chart.objects("hpa").one("HorizontalPodAutoscaler")["spec"]["behavior"]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 60
        assert behavior["scaleDown"]["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 60}]
        assert (
            chart.objects(values=scaled()).one("HorizontalPodAutoscaler")["spec"]["behavior"]["scaleDown"][
                "stabilizationWindowSeconds"
            ]
            == 300
        )

    def test_queue_is_asked_of_this_variant(self, chart: Chart) -> None:
        spec = chart.objects("keda").one("ScaledObject")["spec"]
        assert spec["scaleTargetRef"]["name"] == NAME
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 6)
        trigger = spec["triggers"][0]["metadata"]
        assert (
            trigger["query"]
            == f'sum(marline_pending_requests{{namespace="{NAMESPACE}",marline_endpoint="{ENDPOINT}",model="sentiment"}})'
        )
        assert (trigger["threshold"], trigger["ignoreNullValues"]) == ("4", "false")

    def test_own_query(self, chart: Chart) -> None:
        query = 'sum(rate(http_requests_total{job="x"}[1m]))'
        values = over(autoscaling={"queue": {"query": query}})
        assert chart.objects("keda", values).one("ScaledObject")["spec"]["triggers"][0]["metadata"]["query"] == query


class TestDisruption:
    @pytest.mark.parametrize(
        "keys",
        [
            {"replicas": 1},
            {"autoscaling": {"enabled": True, "maxReplicas": 1}},
            {"replicas": 3, "disruptionBudget": {"enabled": False}},
        ],
    )
    def test_no_budget_where_it_cannot_matter(self, chart: Chart, keys: dict[str, Any]) -> None:
        assert not chart.objects(values=over(**keys)).of("PodDisruptionBudget")

    @pytest.mark.parametrize("keys", [{"replicas": 2}, {"autoscaling": {"enabled": True, "maxReplicas": 2}}])
    def test_one_pod_may_go(self, chart: Chart, keys: dict[str, Any]) -> None:
        spec = chart.objects(values=over(**keys)).one("PodDisruptionBudget")["spec"]
        assert spec["maxUnavailable"] == 1 and "minAvailable" not in spec

    def test_own_budget(self, chart: Chart) -> None:
        spec = chart.objects("production").one("PodDisruptionBudget")["spec"]
        assert spec["minAvailable"] == 2 and "maxUnavailable" not in spec
        half = chart.objects(values=over(replicas=4, disruptionBudget={"maxUnavailable": "50%"})).one(
            "PodDisruptionBudget"
        )
        assert half["spec"]["maxUnavailable"] == "50%"


class TestNetwork:
    def test_nothing_goes_out_of_a_pod_that_fetches_nothing(self, chart: Chart) -> None:
        assert chart.objects().one("NetworkPolicy", NAME)["spec"]["egress"] == []

    @pytest.mark.parametrize(
        ("url", "port"),
        [
            ("https://m.example/a.mar", 443),
            ("http://m.example/a.mar", 80),
            ("http://m.example:8000/a.mar", 8000),
            ("s3://b/a.mar", 443),
        ],
    )
    def test_fetch_may_ask_names_and_the_source(self, chart: Chart, url: str, port: int) -> None:
        spec = chart.objects(values=over(archive={"source": "url", "url": url})).one("NetworkPolicy", NAME)["spec"]
        assert [[p["port"] for p in rule["ports"]] for rule in spec["egress"]] == [[53, 53], [port]]

    def test_own_endpoint_of_a_source(self, chart: Chart) -> None:
        source = chart.objects("url-archive").one("NetworkPolicy", NAME)["spec"]["egress"][1]
        assert source["ports"] == [{"port": 9000, "protocol": "TCP"}]
        assert source["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}}]

    def test_named_peers_and_the_tests_may_ask(self, chart: Chart) -> None:
        http, agent = chart.objects("production").one("NetworkPolicy", NAME)["spec"]["ingress"]
        assert http["ports"][0]["port"] == 8080 and len(http["from"]) == 3
        assert http["from"][2]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
        assert agent["ports"][0]["port"] == 8083 and len(agent["from"]) == 1

    def test_nobody_reads_metrics_when_nobody_is_named(self, chart: Chart) -> None:
        ingress = chart.objects(values="networkPolicy: {agentFrom: []}").one("NetworkPolicy", NAME)["spec"]["ingress"]
        assert [rule["ports"][0]["port"] for rule in ingress] == [8080]

    def test_can_be_switched_off(self, chart: Chart) -> None:
        assert not chart.objects(values="networkPolicy: {enabled: false}").of("NetworkPolicy")


class TestNotes:
    @pytest.fixture(autouse=True)
    def _prints_notes(self, chart: Chart) -> None:
        if chart.major == 3:
            pytest.skip("Helm 3 shows notes only where it reaches a cluster; helm/tests/notes_test.yaml asks for the same")

    def test_curl_of_each_variant(self, chart: Chart) -> None:
        notes = chart.notes("two-variants")
        for service in ("sentiment-marline", "sentiment-marline-stable", "sentiment-marline-canary"):
            assert f"http://{service}.{NAMESPACE}:8080/predictions/sentiment" in notes
        assert """-d '{"text": "It'\\''s wonderful."}'""" in notes
        assert "weight 90 %" in notes and "Without a gateway" in notes

    def test_front_off_says_what_is_lost(self, chart: Chart) -> None:
        assert "front.enabled is false" in chart.notes("front-off")
        assert "front.enabled" not in chart.notes("minimal") and "front.image" not in chart.notes("minimal")

    def test_another_front_says_how_long_it_waits(self, chart: Chart) -> None:
        values = {"front": {"image": {"repository": "docker.io/envoyproxy/envoy", "tag": "v1.40.0"}}}
        assert "waits 5 s (drain.seconds) and no longer" in chart.notes("minimal", json.dumps(values))


def test_tests_can_be_switched_off(chart: Chart) -> None:
    objects = chart.objects("two-variants", "tests: {enabled: false}")
    assert not objects.of("Pod")
    assert all("test" not in item["metadata"]["name"] for item in objects)
