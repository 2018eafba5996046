"""The simulation in small: the shipped judge on scraped counters under a load with memory; docs/11-analysis.md has it in full."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.fixture
def simulation(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("simulate_rollouts")


WORLD = "20 rps, 10 replayed/s"


def test_good_candidates_are_promoted(simulation):
    row = simulation.row(WORLD, simulation.GOOD, 20, seed=1)
    # with a true rate of 5 %, three or more of 20 come in 7.5 % of seeds; the seed is fixed
    assert row["rolled_back"] <= 2


@pytest.mark.parametrize(
    ("fault", "metric"),
    [("3x slower", "slow"), ("5 % errors", "errors"), ("labels of one class flipped", "agreement"), ("3x the CPU", "cpu")],
)
def test_bad_candidates_are_rolled_back_in_their_first_step_because_of_what_is_wrong(simulation, fault, metric):
    row = simulation.row(WORLD, fault, 5, seed=1)
    assert row["in_first_step"] == 5
    assert all(metric in cause for cause in row["causes"])


def test_the_stored_run_keeps_the_promise(simulation):
    stored = json.loads(simulation.FIGURE.read_text(encoding="utf-8"))
    good = [row for row in stored["rows"] if row["fault"] == simulation.GOOD]
    assert sum(row["runs"] for row in good) >= 1000
    assert all(row["upper_99"] <= stored["alpha"] for row in good)
    assert stored["limits"] == json.loads(json.dumps(simulation.dataclasses.asdict(simulation.LIMITS)))


def test_the_bound_is_clopper_and_pearsons(simulation):
    # 0 of n: 1 - 0.01 ** (1 / n)
    assert simulation.upper_bound(0, 100) == pytest.approx(1 - 0.01 ** (1 / 100))
    assert simulation.upper_bound(5, 100) == pytest.approx(0.1258, abs=1e-3)
    assert simulation.upper_bound(3, 3) == 1.0
