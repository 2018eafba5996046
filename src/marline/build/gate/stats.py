"""The two statistics the gate needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Z_95_ONE_SIDED = 1.6448536269514722


def drop_points(reference: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Drop of accuracy on the same items, and its one-sided 95 % upper bound, in percentage points.

    The bound is Bonett and Price's adjusted Wald bound for paired proportions (2012, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data"): one is added
    to both discordant counts, so that no disagreement at all still leaves an honest uncertainty.
    """
    n = len(reference)
    lost, won = int(np.sum(reference & ~found)), int(np.sum(~reference & found))
    p, q = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    bound = p - q + Z_95_ONE_SIDED * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return 100 * (lost - won) / n, 100 * bound


def median_interval(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> tuple[float, float, float]:
    """Median and its 95 % percentile bootstrap interval (Efron 1979)."""
    data = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).choice(data, (resamples, len(data)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(np.median(data)), float(low), float(high)
