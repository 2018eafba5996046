"""One function per metric: what a window of both arms' increments offers to bet on, or None to go on adding up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from marline.rollout.analysis.counters import Counts, Tally
from marline.rollout.analysis.limits import Limits, Metric

P95 = 0.95
# the least stable sample whose 95 % rank exists: 0.95 * (19 + 1) = 19
LEAST_RANKED = 19
# below this one answer decides a window
LEAST_ANSWERS = 4
# CPU counters are refreshed every 10 s or so by the kubelet, whatever is scraped
CPU_WINDOW_S = 10.0


@dataclass(frozen=True)
class Pair:
    """Both arms' increments over the same time, and what replay found in it."""

    candidate: Tally
    stable: Tally
    seconds: float
    compared: int = 0
    disagreed: int = 0


@dataclass(frozen=True)
class Bet:
    """A window's offer.

    Attributes:
        payoffs: for :func:`marline.rollout.analysis.wealth.bet`.
        candidate: numerator and denominator of the candidate's value in this window.
        stable: likewise.
        answers: how many answers of candidate and stable it rests on.
    """

    payoffs: tuple[float, ...]
    candidate: tuple[float, float]
    stable: tuple[float, float]
    answers: tuple[float, float]


Offer = Callable[[Pair, Limits, Mapping[str, float]], Bet | None]


def errors(pair: Pair, limits: Limits, lean: Mapping[str, float]) -> Bet | None:
    """Error rate; the limit is the greater of a share and a multiple of stable's rate in the same window.

    First excuse: the candidate's errors have a mean of at most ``error_share`` of its answers. Second: of all errors of
    the window, the candidate's part has a mean of at most its part of the answers (stable's counted ``1 / error_ratio``):
    errors that hit both arms, in whatever clumps, hit them in proportion to their traffic. Neither asks for independent
    requests, and the unequal exposure is in the second's proportion.
    """
    answers, others = _of(pair.candidate, "all"), _of(pair.stable, "all")
    if answers < 1 or others < 1:
        return None
    failed, failed_there = _of(pair.candidate, "errors"), _of(pair.stable, "errors")
    few = failed / (answers * limits.error_share) - 1
    expected = (failed + failed_there) * limits.error_ratio * answers / (limits.error_ratio * answers + others)
    common = failed / expected - 1 if expected else 0.0
    return Bet((few, common), (failed, answers), (failed_there, others), (answers, others))


def slow(pair: Pair, limits: Limits, lean: Mapping[str, float]) -> Bet | None:
    """Share of answers slower than stable's p95 bucket in the same window, against ``slow_share``.

    The bucket is the one that holds stable's answer of rank ``0.95 * (n + 1)`` (the rank of split conformal
    prediction): an equally fast candidate then exceeds it with probability at most 0.05 however few answers stable
    had, where the plain sample quantile is too low. What slows both arms down moves the bucket, not the share.
    """
    mine, theirs = _histogram(pair.candidate), _histogram(pair.stable)
    total, others = mine.get(math.inf, 0.0), theirs.get(math.inf, 0.0)
    if total < LEAST_ANSWERS or others < LEAST_RANKED:
        return None
    bound = min(each for each, count in theirs.items() if count >= P95 * (others + 1))
    # beyond the last bound nothing can be told apart, nor where the arms' bounds differ: no evidence, never "not slower"
    if bound == math.inf or bound not in mine:
        return None
    above, above_there = total - mine[bound], others - theirs[bound]
    share = min(1.0, max(0.0, above / total))
    return Bet((share / limits.slow_share - 1,), (above, total), (above_there, others), (total, others))


def agreement(pair: Pair, limits: Limits, lean: Mapping[str, float]) -> Bet | None:
    """Share of replayed requests that the arms answer differently, against ``disagree_share``."""
    if not pair.compared:
        return None
    share = pair.disagreed / pair.compared
    counts = (float(pair.compared), float(pair.compared))
    return Bet((share / limits.disagree_share - 1,), (pair.disagreed, pair.compared), (0.0, pair.compared), counts)


def shift(pair: Pair, limits: Limits, lean: Mapping[str, float]) -> Bet | None:
    """Distance between the arms' shares of predicted classes, against ``shift``.

    Total variation is the greatest excess over all sets of classes; the set is chosen from the windows *before*
    this one (``lean``), so this window's excess over it is unbiased however few answers and however many classes there
    are. Two-sample testing by betting with a predictable witness: Shekhar and Ramdas, "Nonparametric two-sample testing
    by betting", IEEE Transactions on Information Theory 70(2), 2024.
    """
    mine, theirs = pair.candidate.get("classes", {}), pair.stable.get("classes", {})
    total, others = sum(mine.values()), sum(theirs.values())
    if total < LEAST_ANSWERS or others < LEAST_ANSWERS:
        return None
    witness = [name for name, excess in lean.items() if excess > 0]
    share = sum(mine.get(name, 0.0) for name in witness) / total
    there = sum(theirs.get(name, 0.0) for name in witness) / others
    payoff = (share - there - limits.shift) / (1 + limits.shift) if witness else 0.0
    return Bet((payoff,), (share, 1.0), (there, 1.0), (total, others))


def leaning(lean: Mapping[str, float], pair: Pair) -> dict[str, float]:
    """The classes' excess in the candidate so far, after a window: what the next window's witness is chosen by."""
    mine, theirs = pair.candidate.get("classes", {}), pair.stable.get("classes", {})
    total, others = sum(mine.values()), sum(theirs.values())
    return {
        name: lean.get(name, 0.0) + mine.get(name, 0.0) / total - theirs.get(name, 0.0) / others
        for name in sorted({*lean, *mine, *theirs})
    }


def cpu(pair: Pair, limits: Limits, lean: Mapping[str, float]) -> Bet | None:
    """CPU per answer, as a multiple of stable's in the same window, against ``cpu_ratio``.

    The limit is on the mean of the windows' ratios: what makes every answer dearer for a while cancels.
    """
    answers, others = _of(pair.candidate, "all"), _of(pair.stable, "all")
    burnt, burnt_there = (_busy(arm, limits) for arm in (pair.candidate, pair.stable))
    if pair.seconds < CPU_WINDOW_S or min(answers, others) < LEAST_ANSWERS or burnt <= 0 or burnt_there <= 0:
        return None
    mine, allowed = burnt / answers, limits.cpu_ratio * burnt_there / others
    return Bet((mine / allowed - 1,), (burnt, answers), (burnt_there, others), (answers, others))


def _of(arm: Tally, key: str) -> float:
    return arm.get("answers", {}).get(key, 0.0)


def _busy(arm: Tally, limits: Limits) -> float:
    burnt: Counts = arm.get("cpu", {})
    return burnt.get("seconds", 0.0) - limits.cpu_idle_cores * burnt.get("pod_s", 0.0)


def _histogram(arm: Tally) -> dict[float, float]:
    return {float(bound): count for bound, count in arm.get("buckets", {}).items()}


OFFERS: dict[Metric, Offer] = {"errors": errors, "slow": slow, "agreement": agreement, "shift": shift, "cpu": cpu}
NEEDS: dict[Metric, tuple[str, ...]] = {
    "errors": ("answers",),
    "slow": ("buckets",),
    "agreement": (),
    "shift": ("classes",),
    "cpu": ("answers", "cpu"),
}
PAYOFFS: dict[Metric, int] = {"errors": 2, "slow": 1, "agreement": 1, "shift": 1, "cpu": 1}


def allowed(metric: Metric, limits: Limits, stable: float) -> float:
    """What a candidate's value may be at most, given stable's."""
    return {
        "errors": max(limits.error_share, limits.error_ratio * stable),
        "slow": limits.slow_share,
        "agreement": limits.disagree_share,
        "shift": stable + limits.shift,
        "cpu": limits.cpu_ratio * stable,
    }[metric]
