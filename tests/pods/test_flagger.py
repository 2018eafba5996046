"""Flagger, with the chart's Canary: a good version is promoted, a bad one never asked or taken back, no request lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import chart, faults
from pods.archives import Archive
from pods.chart import CLAIM, Release
from pods.flagger import flagger, not_wanted, said
from pods.gateway import Gateway, gateway
from pods.load import QUESTIONS, Load, under_load
from pods.monitoring import prometheus
from pods.test_updates import settle

pytestmark = pytest.mark.skipif(bool(not_wanted()), reason=str(not_wanted()))
RATE = 12.0
MODEL = "/predictions/sentiment"
NAME = "sentiment-marline"
ENDPOINT = "model"
SECONDS = 420


@dataclass
class Shifted:
    """A release whose requests Flagger shifts.

    Attributes:
        release: in the cluster.
        door: where requests come in.
        flagger: its namespace.
        heard: how much it had said before the last version.
    """

    release: Release
    door: Gateway
    flagger: str
    heard: int = 0

    def ship(self, archive: Archive) -> None:
        """The next version, as an upgrade of the one variant."""
        self.heard = len(said(self.release.cluster, self.flagger))
        self.release.upgrade(variants={ENDPOINT: archive.values(CLAIM)})

    def phase(self) -> str:
        """Flagger's word for where it is."""
        found: str = self._get("canary", NAME).get("status", {}).get("phase", "")
        return found

    def ended(self) -> str:
        """The phase in which a new version ended, once it was begun."""
        until = self.release.cluster.until
        until(lambda: self.phase() == "Progressing", "a beginning", 120)
        until(lambda: self.phase() in ("Succeeded", "Failed"), "an end", SECONDS)
        return self.phase()

    def said(self) -> list[str]:
        """What Flagger says about it since the last version was shipped."""
        return said(self.release.cluster, self.flagger)[self.heard :]

    def served(self) -> str:
        """Digest of the archive in the pods that get the requests."""
        template = self._get("deployment", f"{NAME}-{ENDPOINT}-primary")["spec"]["template"]
        found: str = template["metadata"]["annotations"]["marline.dev/archive-sha256"]
        return found

    def weights(self) -> dict[str, int]:
        """Of the two Services."""
        (rule,) = self._get("httproutes.gateway.networking.k8s.io", NAME)["spec"]["rules"]
        return {backend["name"].removeprefix(f"{NAME}-"): backend["weight"] for backend in rule["backendRefs"]}

    def pods_of_the_new(self) -> int:
        """How many pods the chart's own Deployment is to have."""
        found: int = self._get("deployment", f"{NAME}-{ENDPOINT}")["spec"]["replicas"]
        return found

    def _get(self, kind: str, name: str) -> Any:
        return self.release.cluster.get("-n", self.release.namespace, kind, name)


@pytest.fixture(scope="module")
def shifted(
    cluster: Cluster, image: str, folder: Path, v1: Archive, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shifted]:
    images = tmp_path_factory.mktemp("images")
    with (
        gateway(cluster, images) as door,
        prometheus(cluster, images) as address,
        flagger(cluster, images, address) as controller,
    ):
        values = {
            "variants": {ENDPOINT: v1.values(CLAIM)},
            "routes": {"parentRefs": [door.parent]},
            "flagger": {
                "enabled": True,
                "prometheusAddress": address,
                "weights": [20, 50],
                "intervalSeconds": 10,
                "windowSeconds": 20,
                # of two versions with the same speed, on a machine that others use as well
                "limits": {"p95Ratio": 20},
            },
        }
        with chart.release(cluster, image, folder, values) as release:
            found = Shifted(release, door, controller)
            release.upgrade()
            cluster.until(lambda: found.phase() == "Initialized", "the first version", SECONDS)
            text, _ = QUESTIONS[0]
            cluster.until(lambda: chart.ask(door.url + MODEL, {"text": text})[0] == 200, "an answer", 60)
            yield found


def flawless(what: str, shifted: Shifted, load: Load) -> None:
    print(f"\n{what}: {load.outcome}; {dict(load.outcome.versions)}", *shifted.said(), sep="\n")
    assert load.outcome.problems == []


def test_a_good_version_is_promoted(shifted: Shifted, v2: Archive) -> None:
    with under_load(shifted.door.url, RATE) as load:
        settle(load, 30)
        shifted.ship(v2)
        assert shifted.ended() == "Succeeded"
        settle(load, 30)
    flawless("1.0.0 to 1.1.0", shifted, load)
    assert set(load.outcome.versions) == {"1.0.0", "1.1.0"}
    heard = "\n".join(shifted.said())
    for step in ("Pre-rollout check replay passed", "canary weight 20", "canary weight 50", "Promotion completed!"):
        assert step in heard
    assert (shifted.served(), shifted.weights(), shifted.pods_of_the_new()) == (v2.sha256, {"primary": 100, "canary": 0}, 0)  # fmt: skip


def test_other_answers_are_found_by_the_replay_before_anyone_gets_them(
    shifted: Shifted, built: Path, folder: Path
) -> None:
    before = shifted.served()
    bad = faults.faulty(built, folder / "flipped.mar", "1.2.0", faults.flipping)
    with under_load(shifted.door.url, RATE) as load:
        settle(load, 30)
        (version,) = load.outcome.versions
        shifted.ship(bad)
        assert shifted.ended() == "Failed"
        settle(load, 30)
    flawless(f"{version} to 1.2.0, which answers otherwise", shifted, load)
    assert set(load.outcome.versions) == {version}
    found = next(message for message in shifted.said() if "pre-rollout check replay failed" in message)
    assert "disagree: agreement 0." in found and "differs" in found
    assert (shifted.served(), shifted.weights(), shifted.pods_of_the_new()) == (before, {"primary": 100, "canary": 0}, 0)  # fmt: skip


def test_errors_are_found_by_the_metrics(shifted: Shifted, built: Path, folder: Path) -> None:
    before = shifted.served()
    bad = faults.faulty(built, folder / "failing.mar", "1.3.0", faults.FAILING)
    with under_load(shifted.door.url, RATE) as load:
        settle(load, 30)
        shifted.ship(bad)
        assert shifted.ended() == "Failed"
        shown = load.outcome.total
        settle(load, 30)
    failed, share = len(load.outcome.problems), load.outcome.versions["1.3.0"]
    print(f"\nto 1.3.0, which fails: {share + failed} of {shown} requests were its own, {failed} failed")
    assert [problem for _, problem in load.outcome.problems if "The twentieth request." not in problem] == []
    assert 0 < share + failed < shown / 2
    assert [message for message in shifted.said() if "errors" in message and ">" in message]
    assert (shifted.served(), shifted.weights(), shifted.pods_of_the_new()) == (before, {"primary": 100, "canary": 0}, 0)  # fmt: skip
