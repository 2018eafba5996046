"""From measured times to what a pod can do."""

from __future__ import annotations

import pytest

from marline.rollout.capacity import LEAST_BUSY, MOST_BUSY, Capacity, busy_percent, capacity, pending_target, waiting
from marline.rollout.facts import Measured

TEN = Measured(cpu_class="avx2", mean_ms=10.0, variation=0.0, rss_mb=100)


def test_each_worker_does_one_request_per_mean_time() -> None:
    assert capacity(TEN, workers=1, threads=1, cpus=1).per_second == 100
    assert capacity(TEN, workers=3, threads=1, cpus=3).per_second == 300


def test_a_limit_below_a_cpu_per_thread_stretches_every_request() -> None:
    assert capacity(TEN, workers=1, threads=1, cpus=0.25).per_second == 25
    assert capacity(TEN, workers=1, threads=1, cpus=4).per_second == 100


@pytest.mark.parametrize(("variation", "busy", "exact"), [(1.0, 0.5, 10.0), (0.0, 0.5, 5.0), (1.0, 0.8, 40.0), (0.0, 0.8, 20.0)])
def test_the_wait_for_one_worker_is_that_of_pollaczek_and_khinchine(variation: float, busy: float, exact: float) -> None:
    assert waiting(Capacity(1, 10.0, variation), busy) == pytest.approx(exact)


def test_more_workers_at_the_same_load_wait_less() -> None:
    assert waiting(Capacity(4, 10.0, 1.0), 0.7) < waiting(Capacity(2, 10.0, 1.0), 0.7) < waiting(Capacity(1, 10.0, 1.0), 0.7)


def test_a_pod_is_as_busy_as_the_wait_allows() -> None:
    one = Capacity(1, 10.0, 1.0)
    assert busy_percent(one, 10.0) == 50
    assert waiting(one, 0.50) <= 10.0 < waiting(one, 0.51)
    assert busy_percent(one, 1e6) == MOST_BUSY
    assert busy_percent(one, 0.001) == LEAST_BUSY


def test_the_queue_target_is_what_arrives_during_the_wait() -> None:
    assert pending_target(Capacity(2, 10.0, 0.0), 50) == 10
    assert pending_target(Capacity(1, 1000.0, 0.0), 50) == 1
