"""Changes under open-loop load lose no request: roll-out, scaling down, a deleted pod, a drained node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import chart, stock
from pods.archives import Archive
from pods.chart import CLAIM, Release
from pods.load import Load, under_load

RATE = 15.0


@pytest.fixture(scope="module")
def serving(cluster: Cluster, image: str, folder: Path, v1: Archive) -> Iterator[Release]:
    with chart.release(
        cluster, image, folder, {"variants": {"stable": {**v1.values(CLAIM), "replicas": 2}}}
    ) as release:
        release.upgrade()
        yield release


def settle(load: Load, answered: int) -> None:
    """Wait until so many more requests were answered."""
    wanted, end = load.outcome.total + answered, time.monotonic() + 60 + 5 * answered / load.rate
    while load.outcome.total < wanted:
        assert not load.running.done(), "the load has ended by itself"
        assert time.monotonic() < end, f"{wanted - load.outcome.total} of {answered} requests are still unanswered"
        load.stopped.wait(0.1)


def flawless(name: str, load: Load) -> None:
    print(f"\n{name}: {load.outcome}")
    assert load.outcome.total > 50
    assert load.outcome.problems == []


def scale(release: Release, replicas: int) -> None:
    variant: dict[str, Any] = {**release.values["variants"]["stable"], "replicas": replicas}
    release.upgrade(variants={"stable": variant})
    release.cluster.until(lambda: len(release.pods(running=False)) == replicas, f"{replicas} pods and no other", 120)


def test_a_roll_out_loses_nothing(serving: Release, v2: Archive) -> None:
    with under_load(serving.url(), RATE) as load:
        settle(load, 30)
        serving.upgrade(variants={"stable": {**v2.values(CLAIM), "replicas": 2}})
        serving.cluster.until(lambda: len(serving.pods(running=False)) == 2, "the old pods' end", 120)
        settle(load, 60)
    flawless("roll-out 1.0.0 to 1.1.0", load)
    assert set(load.outcome.versions) == {"1.0.0", "1.1.0"}


def test_fewer_replicas_lose_nothing(serving: Release) -> None:
    scale(serving, 3)
    with under_load(serving.url(), RATE) as load:
        settle(load, 30)
        scale(serving, 1)
        settle(load, 60)
    flawless("scale 3 to 1", load)


def test_a_deleted_pod_loses_nothing(serving: Release) -> None:
    scale(serving, 2)
    with under_load(serving.url(), RATE) as load:
        settle(load, 30)
        serving.kubectl("delete", "pod", serving.pods()[0]["metadata"]["name"])
        serving.kubectl("rollout", "status", "deployment", "-l", f"app.kubernetes.io/instance={chart.RELEASE}")
        settle(load, 60)
    flawless("a pod deleted", load)


def test_a_drained_node_keeps_what_the_budget_protects(serving: Release) -> None:
    if serving.cluster.settings is None:
        pytest.skip("no node to drain: KUBECONFIG's nodes belong to others")
    scale(serving, 2)
    node = serving.pods()[0]["spec"]["nodeName"]
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=45s")
    selector = f"--pod-selector=app.kubernetes.io/instance={chart.RELEASE}"
    with under_load(serving.url(), RATE) as load:
        settle(load, 30)
        try:
            said = serving.cluster.kubectl(*drain, selector, check=False)
            settle(load, 60)
        finally:
            serving.cluster.kubectl("uncordon", node)
        assert "evicted" in said, said
        # one node: what was evicted has nowhere to go, so the budget holds the last pod until it has
        assert "disruption budget" in said, said
        serving.kubectl("rollout", "status", "deployment", "-l", f"app.kubernetes.io/instance={chart.RELEASE}")
        settle(load, 30)
    flawless("node drained", load)


def test_stock_beside(serving: Release, v1: Archive, v2: Archive) -> None:
    """Printed, not judged: how many requests the same roll-out costs without marline."""
    serving.cluster.helm("uninstall", chart.RELEASE, "-n", serving.namespace, "--wait")
    cluster, namespace = serving.cluster, serving.namespace
    url = stock.start(cluster, namespace, serving.image, v1, CLAIM, 2)
    serving.kubectl("rollout", "status", "deployment/stock")
    with under_load(url, RATE, timeout=20.0) as load:
        settle(load, 30)
        stock.start(cluster, namespace, serving.image, v2, CLAIM, 2)
        serving.kubectl("rollout", "status", "deployment/stock")
        cluster.until(
            lambda: len(cluster.get("-n", namespace, "pods", "-l", "app=stock")["items"]) == 2,
            "stock's old pods' end",
            120,
        )
        settle(load, 60)
    print(f"\nstock, roll-out 1.0.0 to 1.1.0: {load.outcome}; failed {len(load.outcome.problems)}")
    assert load.outcome.total > 50
