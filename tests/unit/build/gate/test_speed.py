from __future__ import annotations

import time

import numpy as np
import pytest

from marline.build.gate.speed import ROUNDS, measure

QUESTIONS = [{"input_ids": np.ones((1, 2 + i % 5), np.int64), "attention_mask": np.ones((1, 2 + i % 5), np.int64)} for i in range(16)]


class Busy:
    """Computes for a time of this process, not of the clock, so that a neighbour's load does not count twice."""

    def __init__(self, units: int) -> None:
        self.units, self.shapes = units, []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.shapes.append(inputs["input_ids"].shape)
        until = time.thread_time() + self.units * 0.0002
        while time.thread_time() < until:
            pass
        return {}


def test_a_variant_of_a_quarter_of_the_cost_is_about_four_times_as_fast():
    found = measure({"slow": Busy(4), "fast": Busy(1)}, "slow", QUESTIONS, True)
    fast, slow = found["fast"], found["slow"]
    assert 2 < fast.p50_ratio < 6
    assert 2 < fast.throughput_ratio < 6
    assert fast.p50_ratio_low <= fast.p50_ratio <= fast.p50_ratio_high
    assert fast.p50_ms < slow.p50_ms <= slow.p95_ms
    assert slow.p50_ratio == slow.throughput_ratio == slow.p95_ratio == 1.0
    assert len(fast.times_ms) == ROUNDS * len(QUESTIONS)


def test_every_variant_answers_the_same_questions():
    slow, fast = Busy(0), Busy(0)
    measure({"slow": slow, "fast": fast}, "slow", QUESTIONS, True)
    assert sorted(slow.shapes) == sorted(fast.shapes)
    assert (8, 6) in slow.shapes  # a batch padded to its longest


def test_what_cannot_be_batched_has_the_throughput_of_single_questions():
    slow, fast = Busy(4), Busy(1)
    found = measure({"slow": slow, "fast": fast}, "slow", QUESTIONS, False)
    assert {shape[0] for shape in fast.shapes} == {1}
    assert 2 < found["fast"].throughput_ratio < 6
    assert found["slow"].throughput_ratio == pytest.approx(1.0)
