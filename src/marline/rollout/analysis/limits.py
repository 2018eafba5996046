"""What a candidate may do worse than stable, and how much evidence a step needs."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

Metric = Literal["errors", "slow", "agreement", "shift", "cpu"]
METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclasses.dataclass(frozen=True)
class Limits:
    """The tolerated differences; a candidate inside all of them is as good as stable.

    Attributes:
        error_share: share of answers that may be errors, whatever stable does (0 to 1).
        error_ratio: or this many times stable's share in the same window, where that is more (at least 1).
        slow_share: share of answers that may be slower than stable's p95 bucket in the same window (0.05 to 1).
            Stable itself has at most 0.05; the distance is what a pod may be slower for reasons of its own.
        disagree_share: share of replayed requests that may be answered differently (0 to 1).
        shift: distance (total variation) allowed between the two arms' shares of predicted classes (0 to 1).
        cpu_ratio: CPU seconds per answer, as a multiple of stable's (at least 1).
        cpu_idle_cores: cores that a pod burns without traffic, taken off before dividing: a canary has less traffic per
            pod, so its idle CPU would otherwise be counted as dear answers.
        min_answers: answers of each arm that a step needs before it may say ``go``.
        min_compared: replayed requests that a step needs before it may say ``go``.
        min_windows: windows that a metric needs before it may say ``go``.
        window_s: shortest window that is bet on, in seconds; shorter scrapes are added up. One burst must not
            be counted many times.
        stale_after_s: seconds after which evidence no longer says anything about now.
    """

    error_share: float = 0.005
    error_ratio: float = 1.5
    slow_share: float = 0.10
    disagree_share: float = 0.02
    shift: float = 0.10
    cpu_ratio: float = 1.5
    cpu_idle_cores: float = 0.0
    min_answers: int = 100
    min_compared: int = 50
    min_windows: int = 5
    window_s: float = 2.0
    stale_after_s: float = 30.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("error_share", 0.0, 1.0),
            ("slow_share", 0.05, 1.0),
            ("disagree_share", 0.0, 1.0),
            ("shift", 0.0, 1.0),
            ("error_ratio", 1.0, 100.0),
            ("cpu_ratio", 1.0, 100.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high or value == 0:
                floor = "more than 0" if low == 0 else f"at least {low:g}"
                raise ValueError(
                    f"limits.{name}: {value!r} is not {floor} and at most {high:g}; write a value in that range"
                )
        for name in ("min_answers", "min_compared", "min_windows", "stale_after_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"limits.{name}: {getattr(self, name)!r} is not more than 0; write a positive number")
        for name in ("cpu_idle_cores", "window_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"limits.{name}: {getattr(self, name)!r} is less than 0; write 0 or more")
