"""A look at both arms: what was scraped, and in words what is missing."""

from __future__ import annotations

import pytest

from marline.errors import ServeError
from marline.rollout.analysis import METRICS, Judge, Limits, Metric, Series, Step, Window
from marline.rollout.evidence import Look, Prometheus
from unit.rollout.evidence.served import NOW, Api

BUCKETS = {"50": 90.0, "100": 99.0, "+Inf": 100.0}


def look(
    prometheus: Api,
    metrics: tuple[Metric, ...] = METRICS,
    stable: tuple[str, ...] = ("s",),
    candidate: tuple[str, ...] = ("c",),
) -> Look:
    return Prometheus(prometheus.url).look("models", stable, candidate, metrics, NOW)


def scraped(prometheus: Api, *pods: str) -> None:
    for pod in pods:
        prometheus.front(pod, answers=100.0, errors=2.0, buckets=BUCKETS, classes={"yes": 60.0, "no": 38.0})
        prometheus.add("container_cpu_usage_seconds_total", 12.5, 8, pod=pod, container="server", cpu="total")


def test_every_family_of_both_arms(prometheus: Api) -> None:
    scraped(prometheus, "s", "s.2", "c", "stranger")
    found = look(prometheus, stable=("s", "s.2"))
    each = Series(100.0, 2.0, BUCKETS, {"yes": 60.0, "no": 38.0}, 12.5)
    assert found == Look({"s": each, "s.2": each}, {"c": each}, None)


def test_both_questions_are_of_the_same_moment(prometheus: Api) -> None:
    scraped(prometheus, "s", "c")
    look(prometheus)
    assert [(path, parameters["time"], parameters["lookback_delta"]) for path, parameters in prometheus.asked] == [
        ("/api/v1/query", "1790000000.000", "30s")
    ] * 2


def test_an_idle_candidate_has_zeros(prometheus: Api) -> None:
    scraped(prometheus, "s")
    prometheus.front("c")
    found = look(prometheus, ("errors", "slow", "shift"))
    assert found.problem is None
    assert found.candidate == {"c": Series(0.0, 0.0, dict.fromkeys(BUCKETS, 0.0), {"yes": 0.0, "no": 0.0})}


def test_an_arm_that_is_not_scraped_is_empty(prometheus: Api) -> None:
    scraped(prometheus, "s")
    found = look(prometheus, candidate=("c", "c2"))
    assert found.candidate == {}
    assert found.stable["s"].answers == 100
    assert found.problem == (
        "Prometheus has scraped nothing of the candidate in 30 s (envoy_server_live of pod c, c2, "
        "from path /metrics/front of port agent)"
    )
    # the other arm's bounds may not be the common ones
    assert found.stable["s"].buckets == {}


def test_one_pod_that_is_not_scraped_is_left_out(prometheus: Api) -> None:
    scraped(prometheus, "s", "c")
    found = look(prometheus, stable=("s", "gone"))
    assert (found.stable.keys(), found.problem) == ({"s"}, None)


def test_an_arm_without_pods(prometheus: Api) -> None:
    scraped(prometheus, "s")
    assert look(prometheus, candidate=()).problem == "the candidate has no pods"
    assert look(prometheus, stable=(), candidate=()) == Look(problem="stable has no pods; the candidate has no pods")


def test_old_samples_are_none(prometheus: Api) -> None:
    scraped(prometheus, "s")
    prometheus.front("c", ago=31, answers=5.0)
    assert look(prometheus, ("errors",)).candidate == {}


def test_old_samples_are_none_even_for_who_goes_back_further(prometheus: Api) -> None:
    """A server that does not know ``lookback_delta`` shows the value, but not as a raw sample of these 30 s."""
    scraped(prometheus, "s", "c")
    whole = prometheus.result
    prometheus.series = [
        (labels, [(NOW - 60 if labels["pod"] == "c" else NOW - 1, v) for _, v in samples])
        for labels, samples in prometheus.series
    ]

    def result(parameters: dict[str, str]) -> dict[str, object]:
        kept = prometheus.series
        if not parameters["query"].endswith("[30s]"):
            prometheus.series = [(labels, [(NOW, v) for _, v in samples]) for labels, samples in kept]
        found = whole(parameters)
        prometheus.series = kept
        return found

    prometheus.result = result  # type: ignore[method-assign]
    found = look(prometheus, ("errors",))
    assert (found.stable.keys(), found.candidate.keys()) == ({"s"}, set())


def test_missing_cpu_is_named_and_hides_nothing_else(prometheus: Api) -> None:
    scraped(prometheus, "s")
    prometheus.front("c", answers=5.0)
    found = look(prometheus, ("errors", "cpu"))
    assert (
        found.problem
        == "Prometheus has no container_cpu_usage_seconds_total of container server of the candidate (from the kubelet's cAdvisor)"
    )
    assert (found.stable["s"].cpu_s, found.candidate["c"].cpu_s, found.candidate["c"].answers) == (12.5, None, 5.0)


def test_a_front_that_counts_no_classes_is_named(prometheus: Api) -> None:
    scraped(prometheus, "s")
    prometheus.front("c", answers=5.0)
    assert (
        look(prometheus, ("shift",)).problem
        == "the front of the candidate has no envoy_http_lua_answers after 5 answers (its archive names no labels?)"
    )
    assert look(prometheus, ("errors",)).problem is None


def test_only_bounds_of_both_arms_are_compared(prometheus: Api) -> None:
    prometheus.front("s", buckets={"50.0": 90.0, "100.0": 95.0, "+Inf": 100.0})
    prometheus.front("c", buckets={"50": 90.0, "71": 93.0, "+Inf": 100.0})
    found = look(prometheus, ("slow",))
    assert (found.stable["s"].buckets, found.candidate["c"].buckets, found.problem) == (
        {"50": 90.0, "+Inf": 100.0},
    ) * 2 + (None,)


def test_histograms_without_a_common_bound_are_named(prometheus: Api) -> None:
    prometheus.front("s", buckets={"50": 90.0, "+Inf": 100.0})
    prometheus.front("c", buckets={"51": 90.0, "+Inf": 100.0})
    assert (
        look(prometheus, ("slow",)).problem == "the pods' envoy_http_downstream_rq_time_bucket have no bound in common"
    )


def test_nothing_is_asked_for_agreement(prometheus: Api) -> None:
    assert look(prometheus, ("agreement",)) == Look()
    assert prometheus.asked == []


def test_trouble_is_a_phrase_and_both_arms_are_empty(prometheus: Api) -> None:
    scraped(prometheus, "s", "c")
    prometheus.reply = lambda _: (503, b'{"status": "error", "error": "starting up"}')
    assert look(prometheus) == Look(problem=f"Prometheus at {prometheus.url} answers 503: starting up")


def test_an_answer_of_another_form_is_a_phrase(prometheus: Api) -> None:
    prometheus.reply = lambda _: (200, b'{"status": "success", "data": {"resultType": "string", "result": [1, "x"]}}')
    assert look(prometheus) == Look(
        problem=f"Prometheus at {prometheus.url} answers, but with no series: KeyError 'string'"
    )


def test_a_wrong_address_is_refused_at_once() -> None:
    with pytest.raises(ServeError, match="'prometheus' is no address of Prometheus"):
        Prometheus("prometheus")


def test_the_judge_takes_what_a_look_gives(prometheus: Api) -> None:
    judge = Judge(Limits(), 0.05, ["errors", "slow", "shift"], [Step(50, 10, 300)])
    judge.begin(NOW)
    for n in range(1, 20):
        prometheus.series.clear()
        for pod, failed in (("s", 0.0), ("c", 20.0)):
            counts = {
                "answers": 100.0 * n,
                "errors": failed * n,
                "buckets": {b: c * n for b, c in BUCKETS.items()},
                "classes": {"yes": 100.0 * n},
            }
            prometheus.front(pod, **counts)
        found = look(prometheus, ("errors", "slow", "shift"))
        assert found.problem is None
        verdict = judge.observe(Window(NOW + 2 * n, found.stable, found.candidate))
        if verdict.decision == "abort":
            break
    assert verdict.reason.startswith("errors is beyond its limit (0.2,")
    assert {each.metric: each.windows > 0 for each in verdict.evidence} == {"errors": True, "slow": True, "shift": True}
