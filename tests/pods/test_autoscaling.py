"""The autoscaler follows the server's CPU up and down, and no request pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import chart
from pods.archives import Archive
from pods.chart import CLAIM, Release
from pods.load import Load, capacity, under_load
from pods.test_updates import flawless, settle

LIMIT = {"server": {"requests": {"cpu": "300m"}, "limits": {"cpu": "300m"}}}
SCALING = {
    "enabled": True,
    "minReplicas": 1,
    "maxReplicas": 3,
    "cpu": {"targetUtilization": 50},
    # short windows: the test waits for them
    "behavior": {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {"stabilizationWindowSeconds": 15}},
}


@pytest.fixture(scope="module")
def serving(cluster: Cluster, image: str, folder: Path, v1: Archive) -> Iterator[Release]:
    variant = {**v1.values(CLAIM), "replicas": 1, "resources": LIMIT}
    with chart.release(cluster, image, folder, {"variants": {"stable": variant}}) as release:
        release.upgrade()
        yield release


def scaler(release: Release) -> dict[str, Any]:
    (found,) = release.cluster.get("-n", release.namespace, "horizontalpodautoscalers")["items"]
    return found


def ready(release: Release) -> int:
    (found,) = release.cluster.get("-n", release.namespace, "deployments")["items"]
    return found["status"].get("readyReplicas", 0)


def seen(release: Release) -> str:
    """What the autoscaler read last, and decided."""
    status = scaler(release)["status"]
    used = [
        metric["containerResource"]["current"].get("averageUtilization")
        for metric in status.get("currentMetrics") or []
        if metric["type"] == "ContainerResource"
    ]
    return f"server's CPU {used} %, {status.get('currentReplicas')} -> {status.get('desiredReplicas')} pods"


def until_ready(release: Release, load: Load, pods: int, seconds: float = 240) -> None:
    release.cluster.until(lambda: ready(release) >= pods, f"{pods} ready pods ({load.outcome})", seconds)
    print(f"{seen(release)}; {load.outcome.total} requests so far, {len(load.outcome.problems)} failed")
    # the connections that are older than the new pod have to end before it has its share
    settle(load, int(20 * load.rate))


def test_up_and_down_without_an_error(serving: Release) -> None:
    one = capacity(serving.url(), seconds=10, concurrency=4)
    print(f"\none pod of 300m answers {one:.0f}/s")
    (variant,) = serving.values["variants"].values()
    unscaled = {key: value for key, value in variant.items() if key != "replicas"}
    serving.upgrade(variants={"stable": {**unscaled, "autoscaling": SCALING}})
    with under_load(serving.url(), 0.8 * one) as load:
        until_ready(serving, load, 2)
        assert scaler(serving)["spec"]["metrics"][0]["type"] == "ContainerResource"
        load.rate = 0.8 * 2 * one
        until_ready(serving, load, 3)
        load.rate = 0.6 * 3 * one
        settle(load, int(15 * load.rate))
        load.rate = 0.1 * one
        wanted = "one pod again"
        serving.cluster.until(lambda: ready(serving) == 1 and len(serving.pods(running=False)) == 1, wanted, 240)
        print(seen(serving))
        settle(load, 20)
    flawless("autoscaled from 1 to 3 pods and back, at 60 to 80 % of what the pods can do", load)
