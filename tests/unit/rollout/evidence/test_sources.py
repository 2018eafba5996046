"""The queries ask for what the metrics need, of the pods that are named, whatever their names hold."""

from __future__ import annotations

import re

import pytest

from marline.rollout.analysis import METRICS, Metric
from marline.rollout.evidence import sources
from unit.rollout.evidence.served import MATCHER


def matchers(query: str) -> dict[str, str]:
    return {label: kind + value for label, kind, value in MATCHER.findall(query)}


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_says_what_it_reads(metric: Metric) -> None:
    assert (sources.names([metric]) == []) == (metric == "agreement")


def test_values_are_asked_for_the_metrics_alone() -> None:
    asked = matchers(sources.values(["slow"], "models", ["b", "a"]))
    names = "envoy_server_live|envoy_http_downstream_rq_time_bucket"
    assert asked == {"__name__": f'~"{names}"', "pod": '~"a|b"', "namespace": '"models"'}


def test_cpu_is_asked_only_where_it_is_judged() -> None:
    assert "container_cpu_usage_seconds_total" in sources.times(["cpu"], "models", ["a"])
    assert "container_cpu_usage_seconds_total" not in sources.times(["errors", "slow", "shift"], "models", ["a"])


def test_raw_samples_are_those_of_the_last_half_minute() -> None:
    assert sources.times(["errors"], "models", ["a"]).endswith("}[30s]")


def test_a_dot_in_a_pods_name_is_no_wildcard() -> None:
    pattern = matchers(sources.values(["errors"], "models", ["blue-1.0-x"]))["pod"].strip('~"')
    assert re.fullmatch(pattern, "blue-1.0-x")
    assert not re.fullmatch(pattern, "blue-1x0-x")
