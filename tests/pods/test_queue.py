"""KEDA follows the requests that wait, as Prometheus scrapes them from the agents."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Cluster
from pods import chart, monitoring
from pods.archives import Archive
from pods.chart import CLAIM, Release
from pods.load import capacity, under_load
from pods.test_autoscaling import LIMIT, SCALING, ready
from pods.test_updates import flawless, settle

pytestmark = pytest.mark.skipif(
    os.environ.get("MARLINE_TEST_SLOW") != "1",
    reason="MARLINE_TEST_SLOW is not 1: Prometheus and KEDA take 20 minutes to build once",
)
PENDING = 'sum(marline_pending_requests{{namespace="{}"}})'


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("images")
    with monitoring.prometheus(cluster, folder) as address, monitoring.keda(cluster, folder):
        yield address


@pytest.fixture(scope="module")
def serving(cluster: Cluster, image: str, folder: Path, v1: Archive, prometheus: str) -> Iterator[Release]:
    # room for what waits until a pod has loaded its model with 300m
    variant = {**v1.values(CLAIM), "replicas": 1, "resources": LIMIT, "server": {"queueSize": 1000}}
    with chart.release(cluster, image, folder, {"variants": {"stable": variant}}) as release:
        release.upgrade()
        yield release


def test_pods_follow_the_requests_that_wait(serving: Release, prometheus: str) -> None:
    one = capacity(serving.url(), seconds=10, concurrency=4)
    print(f"\none pod of 300m answers {one:.0f}/s")
    queue = {"target": 4, "prometheusAddress": prometheus, "pollingInterval": 2}
    scaling = {"enabled": True, "minReplicas": 1, "maxReplicas": 2, "queue": queue, "behavior": SCALING["behavior"]}
    (variant,) = serving.values["variants"].values()
    unscaled = {key: value for key, value in variant.items() if key != "replicas"}
    serving.upgrade(variants={"stable": {**unscaled, "autoscaling": scaling}})
    pending = PENDING.format(serving.namespace)
    serving.cluster.until(lambda: monitoring.value(prometheus, pending) == 0, "the metric in Prometheus", 60)
    with under_load(serving.url(), 0.5 * one) as load:
        settle(load, int(10 * load.rate))
        assert ready(serving) == 1
        load.rate = 1.2 * one
        serving.cluster.until(lambda: (monitoring.value(prometheus, pending) or 0) > 4, "requests that wait", 120)
        serving.cluster.until(lambda: ready(serving) == 2, f"two ready pods ({load.outcome})", 180)
        print(f"two pods, with {monitoring.value(prometheus, pending):.0f} requests waiting; {load.outcome}")
        serving.cluster.until(lambda: (monitoring.value(prometheus, pending) or 0) < 4, "the queues' end", 180)
        load.rate = 0.1 * one
        wanted = "one pod again"
        serving.cluster.until(lambda: ready(serving) == 1 and len(serving.pods(running=False)) == 1, wanted, 240)
        settle(load, 20)
    flawless("scaled on the queue from 1 to 2 pods and back", load)
