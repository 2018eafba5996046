"""One look at both arms through Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marline.rollout.analysis.limits import Metric
from marline.rollout.analysis.window import Series
from marline.rollout.evidence import sources
from marline.rollout.evidence.asking import Unanswered, ask, checked
from marline.rollout.evidence.samples import Sample, read
from marline.rollout.evidence.series import Counters, bounds, classes, counters, cpu_seconds, series


@dataclass(frozen=True)
class Look:
    """What was there to see.

    Attributes:
        stable: series by pod, of the pods that were scraped in the last seconds.
        candidate: likewise.
        problem: what is missing, as one phrase; None where every arm has what the metrics need. An arm of which nothing
            was scraped is empty, both where Prometheus did not answer.
    """

    stable: Mapping[str, Series] = field(default_factory=dict)
    candidate: Mapping[str, Series] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class Prometheus:
    """Prometheus, or what answers like it.

    Attributes:
        address: its URL, with the path that stands before ``/api/v1`` if there is one.
        timeout_s: longest wait for one answer, in seconds; a look asks twice.

    Raises:
        ServeError: for what is no such address.
    """

    address: str
    timeout_s: float = 2.0

    def __post_init__(self) -> None:
        checked(self.address)

    def look(
        self, namespace: str, stable: Sequence[str], candidate: Sequence[str], metrics: Sequence[Metric], at: float
    ) -> Look:
        """What was known of the pods at one moment; trouble with Prometheus is in ``problem``, never raised.

        Args:
            namespace: of the pods.
            stable: names of the pods.
            candidate: likewise.
            metrics: what is judged; what none of them needs is neither asked for nor missed.
            at: Unix seconds.
        """
        arms = {"stable": sorted(set(stable)), "the candidate": sorted(set(candidate))}
        pods = [pod for names in arms.values() for pod in names]
        # agreement comes from replay
        if not sources.names(metrics):
            return Look()
        if not pods:
            return Look(problem="; ".join(f"{arm} has no pods" for arm in arms))
        try:
            values = self._ask(sources.values(metrics, namespace, pods), at)
            times = self._ask(sources.times(metrics, namespace, pods), at)
        except Unanswered as error:
            return Look(problem=f"Prometheus at {self.address} {error}")
        fresh = {sample.pod for sample in times if sample.name == sources.SCRAPED}
        scraped = {pod: found for pod, found in counters(values).items() if pod in fresh}
        cpu = cpu_seconds(times)
        sides = [{pod: scraped[pod] for pod in names if pod in scraped} for names in arms.values()]
        # without one arm the bounds of the other say nothing: one that comes later may have others
        common = bounds(sides) if all(sides) else set()
        known = classes(sides)
        mine = [
            {pod: series(found, cpu.get(pod), metrics, common, known) for pod, found in side.items()} for side in sides
        ]
        problems = [
            *(_nothing(arm, names, side) for (arm, names), side in zip(arms.items(), sides, strict=True)),
            *(_no_cpu(arm, side) for arm, side in zip(arms, mine, strict=True) if "cpu" in metrics),
            *(_no_classes(arm, side) for arm, side in zip(arms, sides, strict=True) if "shift" in metrics),
            _incomparable(sides, common),
        ]
        return Look(mine[0], mine[1], "; ".join(each for each in problems if each) or None)

    def _ask(self, query: str, at: float) -> list[Sample]:
        # Prometheus would go back five minutes for a value; those who do not know the parameter ignore it
        parameters = {"query": query, "time": f"{at:.3f}", "lookback_delta": f"{sources.FRESH_S}s"}
        document = ask(self.address, parameters, self.timeout_s)
        try:
            return read(document)
        except ValueError as error:
            raise Unanswered(f"answers, but with no series: {error}") from error


def _nothing(arm: str, names: Sequence[str], side: Mapping[str, Counters]) -> str | None:
    if side:
        return None
    if not names:
        return f"{arm} has no pods"
    return (
        f"Prometheus has scraped nothing of {arm} in {sources.FRESH_S} s ({sources.SCRAPED} of pod {', '.join(names)}, "
        "from path /metrics/front of port agent)"
    )


def _no_cpu(arm: str, side: Mapping[str, Series]) -> str | None:
    if not side or any(pod.cpu_s is not None for pod in side.values()):
        return None
    return f"Prometheus has no {sources.CPU} of container {sources.SERVER} of {arm} (from the kubelet's cAdvisor)"


def _no_classes(arm: str, side: Mapping[str, Counters]) -> str | None:
    answers = sum(pod.get(sources.ANSWERS, {}).get("", 0.0) for pod in side.values())
    if not answers or any(sources.CLASSES in pod for pod in side.values()):
        return None
    return f"the front of {arm} has no {sources.CLASSES} after {answers:.0f} answers (its archive names no labels?)"


def _incomparable(sides: Sequence[Mapping[str, Counters]], common: set[str]) -> str | None:
    measured = all(any(sources.LATENCIES in pod for pod in side.values()) for side in sides)
    if not measured or common - {"+Inf"}:
        return None
    return f"the pods' {sources.LATENCIES} have no bound in common"
