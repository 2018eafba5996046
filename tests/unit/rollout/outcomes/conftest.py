"""Streams of outcomes with known means, and files of them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Values = list[tuple[bool, float]]


def stream(seed: int, requests: int, stable: float, candidate: float, shares: Sequence[float] = (0.5,), drift: float = 0.0) -> Values:
    """Requests that succeed or fail: whether one was the candidate's, and 0 or 1.

    Args:
        seed: of the random numbers.
        requests: how many.
        stable: its probability of success.
        candidate: its own.
        shares: the candidate's part of the traffic, one after the other over the stream.
        drift: added to both probabilities at the end, and linearly less before.
    """
    rng, out = random.Random(seed), []
    for index in range(requests):
        share = shares[index * len(shares) // requests]
        is_candidate = rng.random() < share
        success = (candidate if is_candidate else stable) + drift * index / requests
        out.append((is_candidate, float(rng.random() < success)))
    return out


def excluded_after(differences: Sequence[float], mean: float, alpha: float) -> int | None:
    """After how many differences a mean first lay outside of the sequence: the paper's capital processes, written out."""
    target, prior = (1 + mean) / 2, [0.5]
    spread = 0.25
    up = down = 1.0
    for t, difference in enumerate(differences, 1):
        stake = math.sqrt(2 * math.log(2 / alpha) / (spread / t * t * math.log(t + 1)))
        x = (1 + difference) / 2
        up *= 1 + min(stake, 0.75 / target if target else math.inf) * (x - target)
        down *= 1 - min(stake, 0.75 / (1 - target) if target < 1 else math.inf) * (x - target)
        if max(up, down) / 2 >= 1 / alpha:
            return t
        prior.append(x)
        spread += (x - sum(prior) / len(prior)) ** 2
    return None


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Sequence[object]], Path]:
    """Write objects as JSON lines, texts as they are."""

    def put(name: str, lines: Sequence[object]) -> Path:
        path = tmp_path / name
        path.write_text("".join(line if isinstance(line, str) else f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        return path

    return put


@pytest.fixture
def files(write: Callable[[str, Sequence[object]], Path]) -> Callable[[Values], tuple[Path, Path]]:
    """A stream as exposures and outcomes."""

    def put(values: Values) -> tuple[Path, Path]:
        exposures = [{"request_id": f"r{i}", "endpoint": "green" if c else "blue", "path": "/predictions/m"} for i, (c, _) in enumerate(values)]
        outcomes = [{"request_id": f"r{i}", "value": value} for i, (_, value) in enumerate(values)]
        return write("exposures.jsonl", exposures), write("outcomes.jsonl", outcomes)

    return put
