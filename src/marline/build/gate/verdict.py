"""Answers and limits to a verdict: every missed limit by name, with what was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marline.build.gate.compare import compare
from marline.build.gate.exam import Exam
from marline.build.gate.quality import Answers
from marline.build.gate.speed import Speed
from marline.build.gate.stats import drop_points
from marline.spec.gates import Gates


@dataclass(frozen=True)
class Miss:
    """A limit that was not kept."""

    limit: str
    allowed: float
    found: float

    def __str__(self) -> str:
        return f"{self.limit}: {self.found:.4g}, allowed {self.allowed:.4g}"


@dataclass(frozen=True)
class Quality:
    """The artifact's quality against the reference; ``accuracy`` is None where there are no labels.

    ``flips_solo_vs_batch`` counts the items whose answer changed in any round.
    """

    accuracy: float | None
    reference_accuracy: float | None
    drop_points: float | None
    bound_points: float | None
    agreement: float
    max_abs: float
    cosine: float
    sqnr_db: float
    flips_solo_vs_batch: int
    flip_share: float
    batch_drift: float
    misses: tuple[Miss, ...]


def judge_quality(answers: Answers, reference: Answers, exam: Exam, task: str, gates: Gates, grouped: bool) -> Quality:
    """Compare with the reference on the gate split, and with itself in each of the exam's rounds.

    Args:
        answers: the variant's.
        reference: the reference's.
        exam: the questions' labels.
        task: decides what the answer of an item is.
        gates: the limits.
        grouped: whether the handler computes items together.  If it does not, flips and drift
            in company are reported, but no limit applies: nobody is ever served them.
    """
    against = compare(reference.gate, answers.gate, task, gates.max_abs)
    rounds = [compare(answers.gate, batched, task, gates.max_batch_drift) for batched in answers.batched]
    flipped = {index for found in rounds for index in found.disagreeing}
    flip_share, drift = len(flipped) / len(answers.gate), max((r.max_abs for r in rounds), default=0.0)
    accuracy = reference_accuracy = drop = bound = None
    found: dict[str, float] = {
        "min_agreement": against.agreement,
        "max_abs": against.max_abs,
        "min_cosine": against.cosine,
        "min_sqnr_db": against.sqnr_db,
    }
    if grouped:
        found |= {"max_flip_share": flip_share, "max_batch_drift": drift}
    if exam.gate_labels:
        labels = np.asarray(exam.gate_labels)
        right, reference_right = answers.gate.argmax(1) == labels, reference.gate.argmax(1) == labels
        accuracy, reference_accuracy = float(right.mean()), float(reference_right.mean())
        drop, bound = drop_points(reference_right, right)
        found |= {"max_drop_points": drop, "max_bound_points": bound}
    return Quality(
        accuracy,
        reference_accuracy,
        drop,
        bound,
        against.agreement,
        against.max_abs,
        against.cosine,
        against.sqnr_db,
        len(flipped),
        flip_share,
        drift,
        misses(found, gates),
    )


def judge_speed(speed: Speed, rss_bytes: int, load_seconds: float, gates: Gates) -> tuple[Miss, ...]:
    """The missed limits of this CPU class."""
    found = {
        "max_p50_ratio_to_eager": 1 / speed.p50_ratio,
        "max_rss_mb": rss_bytes / 1e6,
        "max_load_seconds": load_seconds,
    }
    return misses(found, gates)


def misses(found: dict[str, float], gates: Gates) -> tuple[Miss, ...]:
    """Each value beyond its limit; a value that is not a number is beyond every limit."""
    out = []
    for name, value in found.items():
        allowed = float(getattr(gates, name))
        kept = value >= allowed if name.startswith("min_") else value <= allowed
        if not kept:
            out.append(Miss(name, allowed, value))
    return tuple(out)


def accuracy_on_test(answers: Answers, exam: Exam) -> float | None:
    """Accuracy on the test split, for the report only: no limit looks at it."""
    if not exam.test_labels:
        return None
    return float((answers.test.argmax(1) == np.asarray(exam.test_labels)).mean())
