"""The agent's own metrics, as Prometheus reads them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from marline.agent import metrics
from marline.agent.watch import Watch
from unit.agent.pod import Pod

LABELS = {"model": "toy", "version": "1.0.0", "variant": "onnx-int8", "marline_endpoint": "blue"}


def scraped(watch: Watch) -> dict[str, float]:
    """Every sample by its name; all carry the same labels."""
    families = text_string_to_metric_families(metrics.text(metrics.registry(watch)).decode())
    samples = [sample for family in families for sample in family.samples]
    assert [sample.labels for sample in samples] == [LABELS] * len(samples)
    return {sample.name: sample.value for sample in samples}


def test_what_was_seen_last_is_told_with_real_labels(pod: Pod) -> None:
    watch = pod.watch(server={"workers": 2})
    watch.truth.described(pod.clock(), frozenset({11, 12}), 30, 70)
    watch.truth.golden(pod.clock(), frozenset({11, 12}), "")
    watch.in_flight = 35
    assert scraped(watch) == {
        "marline_ready": 1, "marline_ready_workers": 2, "marline_declared_workers": 2, "marline_pending_requests": 30,
        "marline_queue_capacity": 100, "marline_inflight_requests": 35, "marline_draining": 0,
        "marline_worker_restarts_total": 0,
    }  # fmt: skip


def test_before_anything_was_seen_all_is_zero(pod: Pod) -> None:
    assert {name for name, value in scraped(pod.watch()).items() if value} == {"marline_declared_workers"}


def test_ready_follows_the_truth_and_the_clock(pod: Pod) -> None:
    watch = pod.watch()
    watch.truth.described(pod.clock(), frozenset({11}), 0, 100)
    watch.truth.golden(pod.clock(), frozenset({11}), "")
    assert scraped(watch)["marline_ready"] == 1
    for _ in range(20):
        pod.clock.now += 0.1
        watch.truth.look(pod.clock())
    assert scraped(watch)["marline_ready"] == 0
    watch.truth.golden(pod.clock(), frozenset({11}), "wrong")
    assert scraped(watch)["marline_ready"] == 0


def test_restarts_and_draining_are_counted(pod: Pod) -> None:
    watch = pod.watch()
    for process in (11, 12, 13):
        watch.truth.described(pod.clock(), frozenset({process}), 0, 100)
    watch.truth.draining = True
    told = scraped(watch)
    assert (told["marline_worker_restarts_total"], told["marline_draining"]) == (2, 1)


@pytest.mark.parametrize("name", ["marline_pending_requests", "marline_queue_capacity"])
def test_a_gauge_is_declared_as_one(pod: Pod, name: str) -> None:
    assert f"# TYPE {name} gauge" in metrics.text(metrics.registry(pod.watch())).decode().splitlines()


def test_restarts_are_a_counter(pod: Pod) -> None:
    assert "# TYPE marline_worker_restarts_total counter" in metrics.text(metrics.registry(pod.watch())).decode().splitlines()
