"""What the chart tells Flagger: whose counters it judges by, and who gets what while there are two versions."""

from __future__ import annotations

import json
import re

import pytest

from chart.rendering import ENDPOINT, SCENARIOS, Chart, Objects, selects

NAME = f"sentiment-marline-{ENDPOINT}"
NEW, OLD = f"{NAME}-7f5d644d9c-kfprf", f"{NAME}-primary-787bc5d8f6-qd6b5"
OTHERS = ["sentiment-marline-replay-859555b67f-rzndk", f"{NAME}2-7f5d644d9c-kfprf", f"other-{NEW}"]


@pytest.fixture(scope="module")
def objects(chart: Chart) -> Objects:
    return chart.objects("flagger")


def patterns(objects: Objects, metric: str) -> list[str]:
    """Of the pods that a metric is about, in the query's order."""
    return re.findall(r'pod=~"([^"]+)"', objects.one("MetricTemplate", f"sentiment-marline-{metric}")["spec"]["query"])


def test_errors_are_those_of_the_new_version(objects: Objects) -> None:
    for pattern in patterns(objects, "errors"):
        assert [name for name in (NEW, OLD, *OTHERS) if re.fullmatch(pattern, name)] == [NEW]


def test_latency_is_that_of_the_new_version_over_that_of_the_old(objects: Objects) -> None:
    new, old = patterns(objects, "p95")
    assert [name for name in (NEW, OLD, *OTHERS) if re.fullmatch(new, name)] == [NEW]
    assert [name for name in (NEW, OLD, *OTHERS) if re.fullmatch(old, name)] == [OLD]


@pytest.mark.parametrize("length", range(30, 47))
def test_names_that_kubernetes_cuts_are_told_apart(objects: Objects, length: int) -> None:
    """A pod's name keeps 58 characters of its ReplicaSet's, and gets five of its own."""
    name = "e" * length
    pattern = patterns(objects, "errors")[0].replace(NAME, name)
    cut = [f"{name}{rest}-"[:58] + "kfprf" for rest in ("-7f5d644d9c", "-primary-787bc5d8f6")]
    assert [bool(re.fullmatch(pattern, pod)) for pod in cut] == [True, False]


def test_flagger_finds_the_metrics_by_name(objects: Objects) -> None:
    named = [metric["templateRef"]["name"] for metric in objects.one("Canary")["spec"]["analysis"]["metrics"]]
    assert named == [item["metadata"]["name"] for item in objects.of("MetricTemplate")]


def test_no_version_is_asked_by_path(objects: Objects) -> None:
    paths = [match["uri"]["exact"] for match in objects.one("Canary")["spec"]["service"]["match"]]
    assert paths == [
        "/predictions/sentiment",
        "/v1/models/sentiment:predict",
        "/v2/models/sentiment/infer",
        "/invocations",
    ]


def test_helm_test_asks_the_service_that_flagger_makes(objects: Objects) -> None:
    args = objects.one("Pod")["spec"]["containers"][0]["args"]
    assert f"http://{objects.one('Canary')['spec']['service']['name']}:8080" in args


def test_the_selector_is_flaggers_first_choice_and_selects_no_pod_of_the_other_version(objects: Objects) -> None:
    spec = objects.servers()[0]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"]["app"] == NAME
    assert selects(spec["selector"]["matchLabels"], labels)
    assert not selects(spec["selector"]["matchLabels"], labels | {"app": f"{NAME}-primary"})


def test_policies_let_the_replay_ask_both_versions(objects: Objects) -> None:
    replay = objects.one("Deployment", "sentiment-marline-replay")["spec"]["template"]["metadata"]["labels"]
    (out,) = [
        rule for rule in objects.one("NetworkPolicy", "sentiment-marline.replay")["spec"]["egress"] if "to" in rule
    ]
    labels = objects.servers()[0]["spec"]["template"]["metadata"]["labels"]
    for app in (NAME, f"{NAME}-primary"):
        assert selects(out["to"][0]["podSelector"]["matchLabels"], labels | {"app": app})
    http, _ = objects.one("NetworkPolicy", NAME)["spec"]["ingress"]
    assert any(selects(peer["podSelector"]["matchLabels"], replay) for peer in http["from"] if "podSelector" in peer)


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"flagger"}))
def test_nothing_of_it_is_in_other_releases(chart: Chart, scenario: str) -> None:
    text = chart.text(scenario)
    assert "flagger" not in text and "replay" not in text
    assert all("app" not in item["spec"]["selector"]["matchLabels"] for item in chart.objects(scenario).servers())


def test_without_the_replay_nothing_calls_it(chart: Chart) -> None:
    objects = chart.objects("flagger", json.dumps({"flagger": {"replay": {"enabled": False}}}))
    assert "webhooks" not in objects.one("Canary")["spec"]["analysis"]
    assert [item["metadata"]["name"] for item in objects.of("Deployment")] == [NAME]
    http, _ = objects.one("NetworkPolicy", NAME)["spec"]["ingress"]
    assert len(http["from"]) == 2
