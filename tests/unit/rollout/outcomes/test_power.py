"""How many requests a verdict takes: the table of docs/13-ab.md."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from marline.rollout.outcomes.blocks import differences

ROOT = Path(__file__).parents[4]
RUNS, ALPHA = 40, 0.05
ROW = re.compile(r"^\| (\d+) points \| ([\d,]+) \(([\d,]+)\) \| ([\d,]+) \(([\d,]+)\) \|$", re.MULTILINE)


def until_better(seed: int, share: float, difference: float) -> int:
    """Requests until the candidate is proven better: the lower bound of the sequence is above 0."""
    rng, asked = random.Random(seed), 0

    def requests() -> Iterator[tuple[bool, float]]:
        nonlocal asked
        while asked < 1_000_000:
            asked += 1
            candidate = rng.random() < share
            yield candidate, float(rng.random() < 0.3 + (difference if candidate else 0))

    # the bettor on "above 0" alone, as in the paper
    logarithm, mean_sum, spread = 0.0, 0.5, 0.25
    for t, found in enumerate(differences(requests()), 1):
        x = (1 + found) / 2
        logarithm += math.log1p(min(math.sqrt(2 * math.log(2 / ALPHA) / (spread * math.log(t + 1))), 1.5) * (x - 0.5))
        if logarithm >= math.log(2 / ALPHA):
            return asked
        mean_sum += x
        spread += (x - mean_sum / (t + 1)) ** 2
    raise AssertionError("a million requests, and no verdict")


def test_the_table_is_what_a_simulation_finds():
    rows = ROW.findall((ROOT / "docs" / "13-ab.md").read_text(encoding="utf-8"))
    assert [int(row[0]) for row in rows] == [3, 6, 12]
    for points, *told in rows:
        shown = [int(each.replace(",", "")) for each in told]
        for share, (median, most) in ((0.1, shown[:2]), (0.5, shown[2:])):
            found = sorted(until_better(seed, share, int(points) / 100) for seed in range(RUNS))
            assert (median, most) == pytest.approx((found[RUNS // 2], found[9 * RUNS // 10]), rel=0.01), (points, share)
