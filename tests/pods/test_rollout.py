"""Rollouts on a real cluster: good versions get all traffic, bad ones lose theirs, and nobody loses a request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import chart, faults
from pods.archives import Archive, Change, raising
from pods.gateway import Gateway, gateway, not_wanted
from pods.load import Load, under_load
from pods.monitoring import prometheus
from pods.rollouts import Shipped, shipped
from pods.test_updates import flawless

pytestmark = pytest.mark.skipif(bool(not_wanted()), reason=str(not_wanted()))
RATE = 20.0
# what the simulation in docs/11 was made with, but for the pause
STEPS = {"steps": [10, 50, 100], "pause_s": 20, "deadline_s": 120, "ready_s": 120}
MOST_S = 60.0


@pytest.fixture(scope="module")
def door(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(cluster, tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture(scope="module")
def scraped(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(cluster, tmp_path_factory.mktemp("prometheus")) as address:
        yield address


@pytest.fixture
def ship(
    cluster: Cluster,
    image: str,
    rollout_image: str,
    folder: Path,
    v1: Archive,
    door: Gateway,
    scraped: str,
    tmp_path: Path,
) -> Iterator[Shipped]:
    with (
        chart.release(cluster, image, folder, {}) as release,
        shipped(release, tmp_path, rollout_image, door.parent, {**STEPS, "prometheus": scraped}) as found,
    ):
        found.write({"stable": (v1, 100)}, "stable")
        found.install()
        yield found


def rolled(ship: Shipped, door: Gateway, v1: Archive, new: Archive, **rollout: Any) -> tuple[dict[str, Any], Load]:
    """A whole rollout under load: its record, and what became of the requests."""
    ship.write({"stable": (v1, 0), "canary": (new, 100)}, "canary", **rollout)
    with under_load(door.url, RATE) as load:
        ship.verb("start")
        record = ship.over()
    print(f"\n{new.path.stem}: {told(record, load)}")
    return record, load


def told(record: dict[str, Any], load: Load) -> str:
    begun = [step["began"] for step in record["steps"] if step["began"]]
    seconds = (
        f"{record['ended'] - begun[-1]:.0f} s after the beginning of step {len(begun)}" if begun else "before step 1"
    )
    return f"{record['outcome']} {seconds}, exposed {record['exposed']}: {record['reason']}\n{load.outcome}, {dict(load.outcome.versions)}"


def back_after(record: dict[str, Any]) -> float:
    """Seconds from the beginning of the last step to the weights of before."""
    begun = [step["began"] for step in record["steps"] if step["began"]]
    return float(record["weights"][-1]["at"] - begun[-1])


def test_a_good_version_gets_all_traffic(ship: Shipped, door: Gateway, v1: Archive, v2: Archive) -> None:
    record, load = rolled(ship, door, v1, v2)
    assert record["outcome"] == "promoted"
    flawless("a rollout", load)
    assert [each["candidate"] for each in record["weights"]] == [10, 50, 100]
    assert ship.weights() == {"stable": 0, "canary": 100}
    status = ship.verb("status")
    assert status.stdout.count("canary 100") == 3
    assert "differs" not in status.stdout


@pytest.mark.parametrize(
    ("name", "fault", "metrics"),
    [
        ("slow", faults.SLOW, ["slow"]),
        ("failing", faults.FAILING, ["errors", "agreement"]),
        ("flipping", faults.flipping, ["agreement", "shift"]),
    ],
)
def test_a_worse_version_loses_its_traffic(
    ship: Shipped, door: Gateway, v1: Archive, built: Path, folder: Path, name: str, fault: Change, metrics: list[str]
) -> None:
    worse = faults.faulty(built, folder / f"{name}.mar", "1.1.0", fault)
    record, load = rolled(ship, door, v1, worse)
    assert record["outcome"] == "rolled-back"
    assert any(record["reason"].startswith(metric) for metric in metrics)
    assert back_after(record) <= MOST_S
    assert ship.weights() == {"stable": 100}
    share = load.outcome.versions["1.1.0"] / load.outcome.total
    assert share <= 0.15


def test_a_crashing_version_loses_its_traffic(
    ship: Shipped, door: Gateway, v1: Archive, built: Path, folder: Path
) -> None:
    worse = faults.faulty(built, folder / "crashing.mar", "1.1.0", faults.CRASHING)
    record, _ = rolled(ship, door, v1, worse)
    assert record["outcome"] == "rolled-back"
    assert back_after(record) <= MOST_S
    assert ship.weights() == {"stable": 100}


def test_a_version_that_is_never_ready_gets_no_request(
    ship: Shipped, door: Gateway, v1: Archive, built: Path, folder: Path
) -> None:
    worse = faults.faulty(built, folder / "raising.mar", "1.1.0", raising)
    record, load = rolled(ship, door, v1, worse, ready_s=40)
    assert record["outcome"] == "rolled-back"
    assert "not ready after 40 s" in record["reason"]
    assert record["ended"] - record["started"] <= MOST_S
    assert not any(each["candidate"] for each in record["weights"])
    flawless("never ready", load)
    assert set(load.outcome.versions) == {"1.0.0"}
