"""Samples become one series per pod: zero for what never moved, the same bounds and classes for all."""

from __future__ import annotations

import pytest

from marline.rollout.analysis import METRICS
from marline.rollout.evidence.samples import Sample
from marline.rollout.evidence.series import bound, bounds, classes, counters, cpu_seconds, series

ANSWERS, STATUSES, BUCKET = (
    "envoy_http_downstream_rq_completed",
    "envoy_http_downstream_rq_xx",
    "envoy_http_downstream_rq_time_bucket",
)


def sample(name: str, value: float, pod: str = "a", at: float = 100.0, **labels: str) -> Sample:
    return Sample({"__name__": name, "pod": pod, **labels}, at, value)


def live(pod: str = "a") -> Sample:
    return sample("envoy_server_live", 1, pod)


def cpu(value: float, at: float = 100.0, pod: str = "a", **labels: str) -> Sample:
    return sample("container_cpu_usage_seconds_total", value, pod, at, **{"container": "server", **labels})


def test_only_the_listener_of_clients_counts() -> None:
    found = counters(
        [
            live(),
            *(
                sample(ANSWERS, n, envoy_http_conn_manager_prefix=p)
                for n, p in ((5, "ingress"), (90, "admin"), (2, "retries"))
            ),
        ]
    )
    assert found["a"][ANSWERS] == {"": 5.0}


def test_a_pod_whose_last_scrape_failed_is_not_there() -> None:
    assert counters([sample(ANSWERS, 5), live("b")]).keys() == {"b"}


def test_of_a_pod_that_is_scraped_twice_the_newest_counts() -> None:
    found = counters([live(), sample(ANSWERS, 5, job="x"), sample(ANSWERS, 7, job="y"), sample(ANSWERS, 6, job="z")])
    assert found["a"][ANSWERS] == {"": 7.0}


def test_a_counter_that_never_moved_is_zero() -> None:
    found = series({"envoy_server_live": {"": 1.0}}, None, METRICS, {"50", "+Inf"}, {"yes", "no"})
    assert (found.answers, found.errors) == (0.0, 0.0)
    assert found.buckets == {"50": 0.0, "+Inf": 0.0}
    assert found.classes == {"no": 0.0, "yes": 0.0}
    assert found.cpu_s is None


def test_errors_are_the_answers_with_5xx() -> None:
    of = {"envoy_http_conn_manager_prefix": "ingress"}
    found = counters(
        [
            live(),
            sample(ANSWERS, 30, **of),
            *(sample(STATUSES, n, envoy_response_code_class=c, **of) for c, n in (("2", 20), ("4", 7), ("5", 3))),
        ]
    )
    made = series(found["a"], 4.5, ["errors"], (), ())
    assert (made.answers, made.errors, made.cpu_s) == (30.0, 3.0, 4.5)


def test_what_no_metric_needs_is_left_out() -> None:
    made = series({ANSWERS: {"": 3.0}}, None, ["slow"], {"+Inf"}, ())
    assert (made.answers, made.errors) == (None, None)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("50", "50"),
        ("50.0", "50"),
        ("0.5", "0.5"),
        ("1.4", "1.4"),
        ("+Inf", "+Inf"),
        ("60000.0", "60000"),
        ("soon", ""),
    ],
)
def test_bounds_have_one_spelling(text: str, same: str) -> None:
    assert bound(text) == same


def test_bounds_are_those_that_all_have_who_have_any() -> None:
    old = {"a": {BUCKET: dict.fromkeys(("10", "50", "+Inf"), 1.0)}, "idle": {ANSWERS: {"": 0.0}}}
    new = {"b": {BUCKET: dict.fromkeys(("10", "14", "+Inf", ""), 1.0)}}
    assert bounds([old, new]) == {"10", "+Inf"}
    assert bounds([{"idle": {}}]) == set()


def test_buckets_are_in_order_and_keep_their_counts() -> None:
    made = series({BUCKET: {"+Inf": 9.0, "10": 4.0, "2": 1.0}}, None, ["slow"], {"+Inf", "10", "2"}, ())
    assert list(made.buckets.items()) == [("2", 1.0), ("10", 4.0), ("+Inf", 9.0)]


def test_classes_are_those_of_all_pods() -> None:
    assert classes(
        [{"a": {"envoy_http_lua_answers": {"yes": 3.0}}}, {"b": {"envoy_http_lua_answers": {"no": 1.0, "": 2.0}}}]
    ) == {"yes", "no"}


def test_cpu_is_that_of_the_servers_newer_container() -> None:
    found = cpu_seconds([
        cpu(90, 80, id="before"), cpu(3, 95, id="after"), cpu(70, 97, container="agent"), cpu(60, 98, container=""),
        cpu(1, 99, cpu="cpu00"), cpu(8, 90, "b", cpu="total"), cpu(50, 70, "b"), sample("envoy_server_live", 1, "c", container="server"),
    ])  # fmt: skip
    assert found == {"a": 3.0, "b": 8.0}
