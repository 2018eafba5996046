"""Rollouts on a real cluster: good versions get all traffic, bad ones lose theirs, and nobody loses a request."""

from __future__ import annotations

import os
import random
import re
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import chart, faults
from pods.archives import Archive, Change, raising
from pods.chart import RELEASE, ask
from pods.gateway import Gateway, gateway, not_wanted
from pods.load import QUESTIONS, Load, under_load
from pods.monitoring import prometheus
from pods.rollouts import Shipped, shipped
from pods.test_updates import flawless

pytestmark = pytest.mark.skipif(bool(not_wanted()), reason=str(not_wanted()))
# each takes a minute or two
slow = pytest.mark.skipif(os.environ.get("MARLINE_TEST_SLOW") != "1", reason="MARLINE_TEST_SLOW is not 1")
RATE = 20.0
# what the simulation in docs/11 was made with, but for the pause
STEPS = {"steps": [10, 50, 100], "pause_s": 20, "deadline_s": 120, "ready_s": 120}
MOST_S = 60.0
# a rollout of seconds: what is tested then is not the judge
QUICK = {
    "steps": [10, 50, 100], "pause_s": 3, "interval_s": 1, "metrics": ["agreement"],
    "limits": {"min_compared": 10, "min_windows": 2, "window_s": 1},
}  # fmt: skip
# Kubernetes waits longer before each restart in one pod, up to minutes
KILLS, MOST_IN_ONE, MOST_ROLLOUTS = 20, 3, 15


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
        question = {"text": QUESTIONS[0][0]}
        cluster.until(lambda: ask(f"{door.url}/predictions/sentiment", question)[0] == 200, "the gateway's way", 30)
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
        pytest.param("failing", faults.FAILING, ["errors", "agreement"], marks=slow),
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


@slow
def test_a_version_three_times_as_slow_loses_its_traffic(
    ship: Shipped, door: Gateway, v1: Archive, built: Path, folder: Path
) -> None:
    with under_load(door.url, RATE) as load:
        ship.release.cluster.until(lambda: load.outcome.total >= 200, "200 answers", 60)
    usual = statistics.median(took for _, took in load.outcome.seconds)
    worse = faults.faulty(built, folder / "slow.mar", "1.1.0", faults.slow(2 * usual))
    record, load = rolled(ship, door, v1, worse)
    print(f"usual {usual * 1000:.1f} ms")
    flawless("three times as slow", load)
    assert (record["outcome"], ship.weights()) == ("rolled-back", {"stable": 100})
    assert record["reason"].startswith("slow")
    assert back_after(record) <= MOST_S


@slow
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


@slow
def test_without_prometheus_a_step_holds_and_goes_back_at_its_deadline(
    ship: Shipped, door: Gateway, v1: Archive, v2: Archive, scraped: str
) -> None:
    ship.write({"stable": (v1, 0), "canary": (v2, 100)}, "canary", deadline_s=45)
    cluster = ship.release.cluster
    with under_load(door.url, RATE) as load, stopped(cluster, scraped) as stop:
        ship.verb("start")
        cluster.until(lambda: len(ship.record()["steps"][0]["verdicts"]) > 3, "the first looks", 120)
        stop()
        record = ship.over()
    print(f"\nwithout Prometheus: {told(record, load)}")
    assert record["outcome"] == "rolled-back"
    assert re.search(
        r"at the deadline of 45 s, evidence is missing: .*the last window is \d+ s old, allowed are 30",
        record["reason"],
    )
    assert any(event["kind"] == "hold" and "Prometheus" in event["text"] for event in record["events"])
    assert [each["candidate"] for each in record["weights"]] == [10, 0]
    flawless("without Prometheus", load)


@contextmanager
def stopped(cluster: Cluster, address: str) -> Iterator[Callable[[], None]]:
    """Gives what stops Prometheus; in the end it runs again."""
    services = cluster.get("-A", "services")["items"]
    (namespace,) = [s["metadata"]["namespace"] for s in services if f"//{s['spec'].get('clusterIP')}:" in address]

    def scale(pods: int) -> None:
        cluster.kubectl("-n", namespace, "scale", "deployment/prometheus", f"--replicas={pods}")

    try:
        yield lambda: scale(0)
    finally:
        scale(1)
        cluster.kubectl("-n", namespace, "rollout", "status", "deployment/prometheus", "--timeout=120s")


def test_a_second_start_is_refused_and_a_person_may_end_the_first(
    ship: Shipped, door: Gateway, v1: Archive, v2: Archive
) -> None:
    before = ship.release.helm_values()
    ship.write({"stable": (v1, 0), "canary": (v2, 100)}, "canary")
    with under_load(door.url, RATE) as load:
        ship.verb("start")
        ship.release.cluster.until(lambda: ship.record()["weights"], "the first step", 120)
        refused = ship.verb("start", check=False)
        assert refused.returncode == 1
        assert re.search(
            r"rollout \d{8}-\d{6} is not over .*, started by \S+@\S+ at \S+ \S+ UTC and held by sentiment-marline-rollout-\S+, since",
            refused.stderr,
        )
        told_status = ship.verb("status", check=False)
        assert "the step is judged" in told_status.stdout
        assert "the rollout is on its way there" in told_status.stdout
        ship.verb("abort")
    flawless("aborted", load)
    record = ship.record()
    assert (record["outcome"], ship.weights()) == ("rolled-back", {"stable": 100})
    assert ship.release.helm_values() == before


@slow
def test_helm_rollback_leads_to_the_same_state_and_ends_the_rollout(
    ship: Shipped, door: Gateway, v1: Archive, v2: Archive
) -> None:
    release = ship.release
    before = release.helm_values()
    ship.write({"stable": (v1, 0), "canary": (v2, 100)}, "canary")
    ship.verb("start")
    release.cluster.until(lambda: ship.record()["weights"], "the first step", 120)
    release.cluster.helm("rollback", RELEASE, "1", "-n", release.namespace)
    record = ship.over()
    assert record["outcome"] == "stopped"
    assert "was made by somebody else" in record["reason"]
    assert (release.helm_values(), ship.weights()) == (before, {"stable": 100})


@slow
def test_blue_green_is_judged_before_anybody_is_moved(ship: Shipped, door: Gateway, v1: Archive, v2: Archive) -> None:
    record, load = rolled(ship, door, v1, v2, steps=[0, 100])
    assert record["outcome"] == "promoted"
    assert [each["candidate"] for each in record["weights"]] == [0, 100]
    flawless("blue/green", load)


@slow
def test_drivers_that_are_killed_twenty_times_end_what_they_began(
    ship: Shipped, door: Gateway, v1: Archive, v2: Archive
) -> None:
    """Rollouts there and back again, every second one aborted by a person, until twenty drivers were killed."""
    chance, killed, old, new = random.Random(1), 0, ("stable", v1), ("canary", v2)
    with under_load(door.url, RATE / 2) as load, watching(ship) as sums:
        for number in range(MOST_ROLLOUTS):
            before = ship.weights()
            ship.write({old[0]: (old[1], 0), new[0]: (new[1], 100)}, new[0], **QUICK)
            ship.verb("start")
            kills, record = killing(ship, chance, aborted=number % 2 == 1)
            print(f"\nkilled {kills} times: {record['outcome']}: {record['reason']}", flush=True)
            expected = before if number % 2 else {old[0]: 0, new[0]: 100}
            assert record["outcome"] == ("rolled-back" if number % 2 else "promoted")
            assert ship.weights() == expected
            weights = {name: own["weight"] for name, own in ship.release.helm_values()["variants"].items()}
            assert weights == expected
            if not number % 2:
                old, new = new, old
            killed += kills
            if killed >= KILLS:
                break
    flawless(f"{killed} drivers killed in {number + 1} rollouts", load)
    assert killed >= KILLS
    assert set(sums) == {100}


def killing(ship: Shipped, chance: random.Random, *, aborted: bool) -> tuple[int, dict[str, Any]]:
    """Kill drivers until the rollout is over, or Kubernetes would wait for minutes; how many, and the record."""
    kills, until = 0, ship.release.cluster.until
    while kills < MOST_IN_ONE and until(lambda: driving(ship) or ended(ship), "a driver", 300) == "driving":
        time.sleep(chance.uniform(0.2, 9))  # a random moment of its work, which takes some 20 s
        kills += kill(ship)
        if aborted and kills == 1:
            ship.order("abort")
    return kills, ship.over(600)


def driving(ship: Shipped) -> str:
    """Whether a driver's container runs."""
    running = "-o=jsonpath={.items[*].status.containerStatuses[*].state.running.startedAt}"
    found = ship.release.kubectl("get", "pods", "-l", "app.kubernetes.io/component=rollout", running)
    return "driving" if found.strip() else ""


def ended(ship: Shipped) -> str:
    """Whether the rollout is over."""
    return "ended" if ship.record()["ended"] else ""


def kill(ship: Shipped) -> int:
    """SIGKILL for the driver; how many there were."""
    code = (
        "import os, signal\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    words = open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\\0')\n"
        "    if b'run' in words and b'rollout' in words and int(pid) > 1:\n"
        "        print(pid); os.kill(int(pid), signal.SIGKILL)\n"
    )
    selector = ["-l", "app.kubernetes.io/component=rollout", "--field-selector=status.phase=Running"]
    names = ship.release.kubectl("get", "pods", *selector, "-o", "name", check=False).split()
    done = [
        ship.release.kubectl("exec", n, "--", "/opt/marline/bin/python", "-c", code, check=False) for n in names[:1]
    ]
    return sum(bool(re.fullmatch(r"\d+\s*(command terminated.*)?", text.strip(), re.DOTALL)) for text in done)


@contextmanager
def watching(ship: Shipped) -> Iterator[Counter[int]]:
    """Sums of the weights in the HTTPRoute, looked at all the time."""
    sums: Counter[int] = Counter()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.3):
            sums[sum(ship.weights().values())] += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sums
    finally:
        ended.set()
        thread.join()
