"""A confidence sequence for a mean of bounded values: an interval after every one of them, all of them right at once.

Method: hedged betting with predictable plug-in bets. Source: Waudby-Smith and Ramdas, "Estimating means of bounded
random variables by betting", JRSS B 86(1), 2024, theorem 3 and section 4.4. For each mean that is asked about, one bettor
bets that the values lie above it and one that they lie below; while it is the true one, given all that came before,
neither can expect to win, so by Ville's inequality each has a chance of at most ``alpha / 2`` that its capital ever
reaches ``2 / alpha``. The interval is what is not excluded. How much is bet follows from the variance so far: nothing is
assumed of it, nor of the distribution or the sample size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# of its capital a bettor never stakes more than this, so that no single value ruins it
MOST = 0.75
# the bounds are found to 2 ** -23, and rounded outwards
HALVINGS = 24
Staked = tuple[float, float]
"""A value from 0 to 1, and what is staked per unit of its distance from a mean."""


def interval(differences: Sequence[float], alpha: float) -> tuple[float, float]:
    """The bounds of the mean difference.

    Args:
        differences: each from -1 to 1, in their order.
        alpha: the chance that the true mean is ever outside, over all lengths of the sequence (0 to 1).
    """
    staked = _staked(differences, alpha)
    mirrored = [(1 - value, stake) for value, stake in staked]
    low, high = _bound(staked, alpha), 1 - _bound(mirrored, alpha)
    return 2 * low - 1, 2 * high - 1


def _staked(differences: Sequence[float], alpha: float) -> list[Staked]:
    """Each value with the stake that the values before it suggest."""
    out: list[Staked] = []
    # before the first: one value in the middle, with the most variance that there can be
    total, squares = 0.5, 0.25
    for number, difference in enumerate(differences, 1):
        value = (1 + difference) / 2
        variance = squares / number
        out.append((value, math.sqrt(2 * math.log(2 / alpha) / (variance * number * math.log(1 + number)))))
        total += value
        squares += (value - total / (number + 1)) ** 2
    return out


def _gain(value: float, stake: float, mean: float) -> float:
    """The logarithm of the factor that a bet on "it lies above the mean" multiplies the capital by."""
    return math.log1p(min(stake, MOST / mean if mean > 0 else math.inf) * (value - mean))


def _bound(staked: Sequence[Staked], alpha: float) -> float:
    """The greatest mean that the bettor on "above" excludes, 0 where it excludes none; what it wins falls with the mean."""
    enough, low, high = math.log(2 / alpha), 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if math.fsum(_gain(value, stake, middle) for value, stake in staked) >= enough:
            low = middle
        else:
            high = middle
    return low
