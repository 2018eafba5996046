"""Readiness against real answers, every 100 ms, through every way a server can fail; stock /ping beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import archives as make
from pods import chart, stock
from pods.archives import Archive
from pods.chart import CLAIM, Release
from pods.sampling import Samples, answers, sampled, says

PATH = ":8080/predictions/sentiment"
WORKERS = (
    "import psutil; [p.kill() for p in psutil.process_iter() "
    "if any(word.endswith('model_service_worker.py') for word in p.cmdline()[1:2])]"
)
STOP_JVM = (
    "import psutil; [p.suspend() for p in psutil.process_iter() if 'org.pytorch.serve.ModelServer' in p.cmdline()]"
)
CONTINUE_JVM = STOP_JVM.replace("suspend", "resume")
TOLERATED_S = 2.0


@pytest.fixture(scope="module")
def space(cluster: Cluster, image: str, folder: Path, v1: Archive) -> Iterator[Release]:
    """One namespace for all; each test installs what it needs."""
    with chart.release(cluster, image, folder, {"variants": {"stable": v1.values(CLAIM)}}) as release:
        yield release


@pytest.fixture
def clean(space: Release) -> Iterator[Release]:
    """Nothing installed before and after."""
    yield space
    space.cluster.helm("uninstall", chart.RELEASE, "-n", space.namespace, "--ignore-not-found", "--wait")
    space.kubectl("delete", "deployment", "stock", "--ignore-not-found", "--wait=true")
    space.cluster.until(lambda: not space.pods(running=False), "no pod left", 90)


def truthful(name: str, ours: Samples, beside: Samples | None = None) -> None:
    """Print both; ours contradicts for no longer than tolerated."""
    print(f"\n{name}\n  ours:  {ours}" + (f"\n  stock: {beside}" if beside else ""))
    assert len(ours.pairs) > 20
    assert ours.longest() <= TOLERATED_S, ours.disagreements()
    assert ours.beyond(TOLERATED_S) == 0, ours.disagreements()


def watched(release: Release) -> Any:
    """Sampling of the one pod's agent and of real answers through its front."""
    address = release.pod_ip()
    return sampled(says(f"http://{address}:8083/ready"), answers(f"http://{address}{PATH}"))


def watched_stock(release: Release) -> Any:
    address = stock.pod_ip(release.cluster, release.namespace)
    return sampled(says(f"http://{address}:8080/ping"), answers(f"http://{address}{PATH}"))


def test_start_dead_workers_and_a_stopped_jvm(clean: Release, v1: Archive) -> None:
    clean.upgrade(wait=False, variants={"stable": v1.values(CLAIM)})
    with watched(clean) as ours:
        clean.cluster.until(lambda: any(so for _, _, so in ours.pairs), "the first right answer", 120)
        time_passes(3)
    truthful("start", ours)

    stock.start(clean.cluster, clean.namespace, clean.image, v1, CLAIM)
    with watched_stock(clean) as beside:
        clean.cluster.until(lambda: any(so for _, _, so in beside.pairs), "stock's first right answer", 120)
        time_passes(3)
    print(f"\nstart of stock: {beside}")

    (pod,) = clean.pods()
    name, other = pod["metadata"]["name"], stock.pod(clean.cluster, clean.namespace)["metadata"]["name"]
    for title, break_it, mend in (
        ("all workers killed", WORKERS, None),
        ("JVM stopped", STOP_JVM, CONTINUE_JVM),
    ):
        with watched(clean) as ours, watched_stock(clean) as beside:
            time_passes(1)
            clean.python(name, break_it)
            clean.python(other, break_it)
            time_passes(6)
            if mend:
                clean.python(name, mend)
                clean.python(other, mend)
            clean.cluster.until(lambda: all_right(ours, 10) and all_right(beside, 10), f"recovery: {title}", 90)
        truthful(title, ours, beside)


def all_right(samples: Samples, last: int) -> bool:
    """Whether the last samples all had right answers."""
    return len(samples.pairs) >= last and all(so for _, _, so in sorted(samples.pairs)[-last:])


def time_passes(seconds: float) -> None:
    """Let samples accumulate: what is observed is time itself."""
    time.sleep(seconds)


FAULTS = {
    "a handler that raises on load": (make.raising, ("did not load", "boom")),
    "a model that answers wrongly": (make.lying, ("answers wrongly",)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_model_is_never_ready(clean: Release, built: Path, folder: Path, fault: str) -> None:
    change, words = FAULTS[fault]
    bad = make.changed(built, folder / "bad.mar", change)
    stock.start(clean.cluster, clean.namespace, clean.image, bad, CLAIM)
    clean.upgrade(wait=False, variants={"stable": bad.values(CLAIM)})
    with watched(clean) as ours, watched_stock(clean) as beside:
        clean.cluster.until(lambda: said(clean, words), f"the agent's reason: {fault}", 90)
        time_passes(3)
    truthful(fault, ours, beside)
    assert not any(ready for _, ready, _ in ours.pairs)


def said(release: Release, words: tuple[str, ...]) -> bool:
    """Whether the agent named the fault."""
    (pod,) = release.pods()
    log = release.kubectl("logs", pod["metadata"]["name"], "-c", "agent")
    return any(word in log for word in words)


@pytest.mark.parametrize("fault", ["a corrupt archive", "a wrong digest"])
def test_a_bad_archive_ends_in_one_sentence(clean: Release, built: Path, folder: Path, v1: Archive, fault: str) -> None:
    if fault == "a corrupt archive":
        variant = make.flipped(built, folder / "bad.mar").values(CLAIM)
        sentence = "is not a whole .mar archive"
    else:
        variant = v1.values(CLAIM)
        variant["archive"] = {**variant["archive"], "sha256": "0" * 64}  # type: ignore[dict-item]
        sentence = f"the release says {'0' * 64}"
    clean.upgrade(wait=False, variants={"stable": variant})
    with watched(clean) as ours:
        found = clean.cluster.until(lambda: ended(clean), f"the termination message: {fault}", 90)
        time_passes(2)
    truthful(fault, ours)
    assert not any(ready for _, ready, _ in ours.pairs)
    assert found.count("error: ") == 1
    assert sentence in found


def ended(release: Release) -> str:
    """The first termination message of any container."""
    (pod,) = release.pods()
    for status in pod["status"].get("initContainerStatuses", []):
        for state in (status.get("state", {}), status.get("lastState", {})):
            if message := state.get("terminated", {}).get("message"):
                return str(message)
    return ""
