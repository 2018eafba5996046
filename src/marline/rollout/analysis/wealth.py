"""A test by betting: an e-process that stays valid however often and whenever it is looked at.

Method: testing by betting with a mixture over fixed bets. Sources: Waudby-Smith and Ramdas, "Estimating means of
bounded random variables by betting", JRSS B 86(1), 2024 (the capital process, and mixing over a grid of bets);
Ville 1939 (a non-negative supermartingale that starts at 1 reaches 1/alpha with probability at most alpha); Vovk and
Wang, "E-values: calibration, combination and applications", Annals of Statistics 49(3), 2021 (why a mean of e-values,
and a part of one, are e-values). Confidence sequences as in Howard et al., Annals of Statistics 49(2), 2021, are the
same object read the other way round.

Each window offers payoffs ``y >= -1`` whose mean *given everything before it* is at most 0 while the candidate keeps
its limit. A bettor who stakes the part ``l`` of what it has multiplies it by ``1 + l * y``, so its capital is a
non-negative supermartingale: nothing is assumed about the distribution in a window, about dependence inside it, or
about the load. Several payoffs are several excuses ("few errors" or "no more than stable's"): the least of the factors
is bet, which is valid when any one of the excuses holds in that window, another in the next.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

# few and far apart: each bettor costs the mixture its share of the start capital, a stake that is off costs less
STAKES = (0.15, 0.5, 0.9)
# rare errors pay many times the stake, so the first excuse is bet against with little; the second by the odds of w
TWO_STAKES = ((0.1, 0.3), (0.4, 0.8))
# A factor cut from above is still an e-value. Cut, no single burst of a few windows can end a rollout.
MOST = 4.0
_GRIDS = {1: tuple((a,) for a in STAKES), 2: tuple(itertools.product(*TWO_STAKES))}


def start(payoffs: int) -> list[float]:
    """The logarithms of the capital of each bettor, before the first window."""
    return [0.0] * len(_GRIDS[payoffs])


def bet(capital: list[float], payoffs: Sequence[float]) -> list[float]:
    """The bettors' capital (logarithms) after one window.

    Args:
        capital: before it.
        payoffs: one or two numbers of at least -1, each with mean at most 0 if its excuse holds.
    """
    grid = _GRIDS[len(payoffs)]
    return [
        before + math.log(min(MOST, *(1.0 + stake * payoff for stake, payoff in zip(stakes, payoffs, strict=True))))
        for before, stakes in zip(capital, grid, strict=True)
    ]


def log_evidence(capital: Sequence[float]) -> float:
    """The natural logarithm of the e-value: the mean of the bettors' capital."""
    top = max(capital)
    return top + math.log(sum(math.exp(each - top) for each in capital) / len(capital))
