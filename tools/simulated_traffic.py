"""Two arms of pods under a load that nobody would call independent, seen through a scraper that has bad days.

Everything is correlated in time on purpose: the load (with bursts), what slows all pods down, what slows one pod down,
the mix of questions, outages of something that both arms need, hiccups of one pod. Errors come in clumps. Scrapes go
missing or return old values, Prometheus is away for a while, pods restart and count from zero, and CPU counters move
only every ten seconds, as the kubelet's do.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from marline.rollout.analysis import Replay, Series, Window

# upper bounds in milliseconds: the default ones of Envoy's histograms
BOUNDS = ("0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "+Inf")
LOG_BOUNDS = np.log([float(bound) for bound in BOUNDS[:-1]])
STABLE_PODS = 4
# of the latencies' logarithm, which is logistic: the slow tail is heavier than a log-normal one
SPREAD = 0.25
CPU_REFRESH_S = 10.0


@dataclasses.dataclass(frozen=True)
class World:
    """What a rollout happens in.

    Attributes:
        rps: mean requests per second of the users, both arms together.
        replay_rps: replayed requests per second, each sent to both arms (they move the counters too).
        scrape_s: seconds between scrapes.
        classes: how many classes the model tells apart.
        error_share: what stable answers with an error, apart from outages and hiccups.
        restarts_s: mean seconds between two restarts of a pod.
        hiccups_s: mean seconds between two hiccups of a pod (30 % errors and three times as slow, for 4 s on average).
    """

    rps: float = 20.0
    replay_rps: float = 0.0
    scrape_s: float = 2.0
    classes: int = 2
    error_share: float = 0.001
    restarts_s: float = 1200.0
    hiccups_s: float = 1800.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong with the candidate; as it stands, nothing."""

    slower: float = 1.0
    errors: float = 0.0
    flipped: bool = False
    cpu: float = 1.0


class Noise:
    """A stationary autoregressive process with mean 0."""

    def __init__(self, rng: np.random.Generator, deviation: float, memory_s: float, scrape_s: float) -> None:
        self._rng, self._keep = rng, math.exp(-scrape_s / memory_s)
        self._fresh = deviation * math.sqrt(1 - self._keep**2)
        self.value = float(rng.normal(0, deviation))

    def step(self) -> float:
        """The next value."""
        self.value = self._keep * self.value + self._fresh * float(self._rng.normal())
        return self.value


class Spell:
    """Something that happens now and then and lasts a while."""

    def __init__(self, rng: np.random.Generator, every_s: float, lasts_s: float, scrape_s: float) -> None:
        self._rng, self._begins, self._ends = rng, scrape_s / every_s, min(1.0, scrape_s / lasts_s)
        self.on = False

    def step(self) -> bool:
        """Whether it is going on now."""
        self.on = bool(self._rng.random() >= self._ends) if self.on else bool(self._rng.random() < self._begins)
        return self.on


class Pod:
    """One pod's counters and its own luck."""

    def __init__(self, rng: np.random.Generator, world: World) -> None:
        self._rng, self._world = rng, world
        self._pace = Noise(rng, 0.15, 20, world.scrape_s)
        self._burn = Noise(rng, 0.10, 60, world.scrape_s)
        self._hiccup = Spell(rng, world.hiccups_s, 4, world.scrape_s)
        self._refresh = float(rng.uniform(0, CPU_REFRESH_S))
        self._zero()
        self.scraped = self._series()

    def _zero(self) -> None:
        self.answers = self.errors = self.cpu = self.shown = 0.0
        self.histogram = np.zeros(len(BOUNDS))
        self.classes = np.zeros(self._world.classes)

    def work(self, count: int, latency: float, error_share: float, mix: np.ndarray, fault: Fault) -> None:
        """One scrape interval; ``latency`` is the logarithm of the median in milliseconds."""
        rng, dt = self._rng, self._world.scrape_s
        if rng.random() < dt / self._world.restarts_s:
            self._zero()
        own, hiccup = self._pace.step(), self._hiccup.step()
        median = latency + own + math.log(fault.slower) + (math.log(3) if hiccup else 0)
        share = min(1.0, error_share + (0.3 if hiccup else 0))
        # errors come in clumps of two on average, except for those that the version makes by itself
        clumps = int(rng.binomial(count, share / 2)) if count else 0
        common = int(rng.geometric(0.5, clumps).sum()) if clumps else 0
        self.errors += min(count, common + int(rng.binomial(count, fault.errors)))
        self.answers += count
        self.histogram[-1] += count
        self.histogram[:-1] += np.searchsorted(np.sort(rng.logistic(median, SPREAD, count)), LOG_BOUNDS)
        told = rng.multinomial(count, mix)
        if fault.flipped:
            told[1], told[0] = told[1] + told[0], 0
        self.classes += told
        burn = math.exp(self._burn.step()) * fault.cpu
        self.cpu += 0.02 * dt + 0.8e-3 * count * math.exp(latency) * burn
        self._refresh -= dt
        if self._refresh <= 0:
            self._refresh += CPU_REFRESH_S
            self.shown = self.cpu

    def _series(self) -> Series:
        return Series(
            answers=self.answers,
            errors=self.errors,
            buckets=dict(zip(BOUNDS, self.histogram.tolist(), strict=True)),
            classes={f"class-{index}": count for index, count in enumerate(self.classes.tolist())},
            cpu_s=self.shown,
        )

    def scrape(self) -> Series | None:
        """What the scraper sees: now and then nothing, or what it saw before."""
        luck = self._rng.random()
        if luck < 0.02:
            return None
        if luck >= 0.03:
            self.scraped = self._series()
        return self.scraped


class Traffic:
    """Both arms during one rollout."""

    def __init__(self, rng: np.random.Generator, world: World, fault: Fault) -> None:
        self._rng, self._world, self._fault = rng, world, fault
        dt = world.scrape_s
        self._load = Noise(rng, 0.4, 30, dt)
        self._burst = Spell(rng, 120, 10, dt)
        self._pace = Noise(rng, 0.3, 20, dt)
        self._topics = [Noise(rng, 0.3, 60, dt) for _ in range(world.classes)]
        self._outage = Spell(rng, 600, 5, dt)
        self._away = Spell(rng, 300, 10, dt)
        # where the median lies between two bounds of the histogram is a matter of luck as well
        self._latency = math.log(float(rng.uniform(8, 60)))
        self.stable = [Pod(rng, world) for _ in range(STABLE_PODS)]
        self.candidate: list[Pod] = []
        self.at = 0.0
        self.asked = self.exposed = 0

    def weigh(self, weight: int) -> None:
        """Put a weight in force, with the pods that it takes."""
        self._weight = weight / 100
        wanted = max(1, math.ceil(self._weight * STABLE_PODS))
        self.candidate += [Pod(self._rng, self._world) for _ in range(wanted - len(self.candidate))]

    def window(self) -> Window:
        """The next scrape interval, and what was seen at its end."""
        rng, world = self._rng, self._world
        dt = world.scrape_s
        self.at += dt
        busy = math.exp(self._load.step() - 0.08) * (3 if self._burst.step() else 1)
        count = int(rng.poisson(world.rps * dt * busy * rng.gamma(10, 0.1)))
        chosen = int(rng.binomial(count, self._weight))
        self.asked, self.exposed = self.asked + count, self.exposed + chosen
        replayed = int(rng.poisson(world.replay_rps * dt))
        latency = self._latency + self._pace.step() + 0.1 * math.log(busy)
        share = world.error_share * busy + (0.2 if self._outage.step() else 0)
        logits = np.exp([topic.step() for topic in self._topics])
        mix = logits / logits.sum()
        for pods, requests, fault in ((self.candidate, chosen, self._fault), (self.stable, count - chosen, Fault())):
            each = rng.multinomial(requests + replayed, [1 / len(pods)] * len(pods))
            own_mix = rng.dirichlet(50 * mix + 0.01)
            for pod, own in zip(pods, each, strict=True):
                pod.work(int(own), latency, share, own_mix, fault)
        away = self._away.step()
        seen = [{} if away else self._scraped(name, pods) for name, pods in (("s", self.stable), ("c", self.candidate))]
        differs = 0.005 + (float(mix[0]) if self._fault.flipped else 0)
        replay = Replay(replayed, int(rng.binomial(replayed, min(1.0, differs)))) if replayed else None
        return Window(self.at, stable=seen[0], candidate=seen[1], replay=replay)

    @staticmethod
    def _scraped(name: str, pods: list[Pod]) -> dict[str, Series]:
        found = {f"{name}{index}": pod.scrape() for index, pod in enumerate(pods)}
        return {pod: series for pod, series in found.items() if series is not None}
