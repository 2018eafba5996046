"""What was aimed at, and whether it was reached: one line per target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlerkit.machine import cpu_class
from marline.build.gate.stats import median_interval

Values = Sequence[float]


@dataclass(frozen=True)
class Target:
    """A number to reach.

    Attributes:
        name: of the report's section that holds its values.
        title: what is measured.
        limit: to be reached.
        most: whether the limit is the most, and not the least.
    """

    name: str
    title: str
    limit: float
    most: bool = False


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured: median with its 95 % bootstrap interval over the rounds."""

    target: Target
    value: float
    low: float
    high: float

    @property
    def reached(self) -> bool:
        """Whether the median reaches the limit."""
        return self.value <= self.target.limit if self.target.most else self.value >= self.target.limit

    def __str__(self) -> str:
        sign = "<=" if self.target.most else ">="
        said = "ok" if self.reached else "short"
        return f"{self.target.title}: {self.value:.3f} [{self.low:.3f}, {self.high:.3f}], target {sign} {self.target.limit:g}: {said}"

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "title": self.target.title,
            "value": round(self.value, 4),
            "interval": [round(self.low, 4), round(self.high, 4)],
            "limit": self.target.limit,
            "most": self.target.most,
            "reached": self.reached,
        }


def targets(batching_gain: float, machine: Callable[[], str] = cpu_class) -> list[Target]:
    """The targets on this machine.

    Args:
        batching_gain: rate of the bare loop at its best batching over that at batch 1.
        machine: names the CPU class.
    """
    vnni = "vnni" in machine()
    return [
        Target("rate", "served / bare loop, answers per second", 0.75 if vnni else 0.85),
        Target("cpu", "served / bare loop, answers per CPU second of the server", 0.95),
        Target("stock", "best variant / stock TorchServe with eager fp32", 6 if vnni else 3),
        Target("peer", "served / the best peer", 1.3 if batching_gain >= 1.3 else 1.0),
        Target("lone", "p50 of a lone request / FastAPI's", 1.2, most=True),
        Target("queue", "p99 at 70 % of peak / p99 of an ideal queue", 1.2, most=True),
        Target("goodput", "goodput at three times the peak / peak", 0.95),
        Target("refusal", "p99 of a refusal at three times the peak, in ms", 10, most=True),
        Target("padding", "padding among the tokens computed", 0.03, most=True),
        Target("aware", "length-aware / first come first served batches, 8 to 256 tokens", 1.8),
        Target("start", "start to first right answer / bare JVM and session", 1.3, most=True),
    ]


def verdicts(measured: Mapping[str, Values], wanted: Sequence[Target]) -> tuple[list[Verdict], list[str]]:
    """Judge.

    Returns:
        A verdict for each target that was measured, and a sentence for each that was not.
    """
    found, missing = [], []
    for target in wanted:
        if values := measured.get(target.name):
            found.append(Verdict(target, *median_interval(list(values))))
        else:
            missing.append(f"{target.title}: not measured")
    return found, missing
