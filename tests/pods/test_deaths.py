"""Workers killed under load: nobody notices one death; the death of all shows as a wait, or as a clean 503."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Cluster
from pods import chart
from pods.archives import Archive
from pods.chart import CLAIM, Release
from pods.load import Load, under_load
from pods.test_updates import flawless, scale, settle

RATE = 20.0
KILL = (
    "import psutil; w = [p for p in psutil.process_iter() "
    "if any(word.endswith('model_service_worker.py') for word in p.cmdline()[1:2])]; [p.kill() for p in w[:{}]]; print(len(w))"
)


@pytest.fixture(scope="module")
def serving(cluster: Cluster, image: str, folder: Path, v1: Archive) -> Iterator[Release]:
    variant = {**v1.values(CLAIM), "replicas": 1, "server": {"workers": 2}}
    with chart.release(cluster, image, folder, {"variants": {"stable": variant}}) as release:
        release.upgrade()
        yield release


def kill(release: Release, count: int) -> None:
    """SIGKILL to that many workers of the first pod."""
    found = release.python(release.pods()[0]["metadata"]["name"], KILL.format(count))
    assert int(found) == 2, found


def ready_workers(release: Release) -> int:
    (pod, *_) = release.pods()
    _, text = chart.ask(f"http://{pod['status']['podIP']}:8083/metrics")
    (line,) = [line for line in text.decode().splitlines() if line.startswith("marline_ready_workers{")]
    return int(float(line.rsplit(" ", 1)[1]))


def test_one_dead_worker_costs_nothing(serving: Release) -> None:
    serving.cluster.until(lambda: ready_workers(serving) == 2, "two workers", 60)
    with under_load(serving.url(), RATE) as load:
        settle(load, 40)
        for _ in range(3):
            kill(serving, 1)
            serving.cluster.until(lambda: ready_workers(serving) == 2, "the worker's return", 60)
            settle(load, 40)
    flawless("one of two workers killed, three times", load)


def test_all_workers_dead_means_waits_or_clean_refusals(serving: Release) -> None:
    serving.cluster.until(lambda: ready_workers(serving) == 2, "two workers", 60)
    # the pod's own front: a Service whose one pod is unready refuses connections, and asks nobody
    with under_load(f"http://{serving.pod_ip()}:8080", RATE) as load:
        settle(load, 40)
        kill(serving, 2)
        died = time.monotonic() - load.started
        serving.cluster.until(lambda: ready_workers(serving) == 2, "the workers' return", 90)
        settle(load, 60)
    print(f"\nboth workers of the one pod killed: {load.outcome}; {recovery(load, died)}")
    assert set(load.outcome.statuses) <= {"200", "503"}
    assert not [why for _, why in load.outcome.problems if not why.startswith("503")]


def recovery(load: Load, died: float) -> str:
    """From the death to the first answer asked for after it."""
    later = [asked + took for asked, took in load.outcome.seconds if asked > died]
    return f"first answer to a later request after {min(later) - died:.1f} s"


def test_two_pods_hide_the_death_of_one_pods_workers(serving: Release) -> None:
    scale(serving, 2)
    with under_load(serving.url(), RATE) as load:
        settle(load, 40)
        kill(serving, 2)
        serving.cluster.until(lambda: ready_workers(serving) == 2, "the workers' return", 90)
        settle(load, 60)
    flawless("both workers of one of two pods killed", load)


def test_the_front_says_how_often_it_asked_again(serving: Release) -> None:
    (pod, *_) = serving.pods()
    log = serving.kubectl("logs", pod["metadata"]["name"], "-c", "front")
    rows = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert rows
    assert {row["attempts"] for row in rows if row["status"] == 200} <= {1, 2}
