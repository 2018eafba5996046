"""Simulated rollouts, judged by the shipped judge: how often a good candidate is rolled back, how fast a bad one.

python tools/simulate_rollouts.py                      print the table (some minutes on one core)
python tools/simulate_rollouts.py --runs 100           fewer rollouts per row
python tools/simulate_rollouts.py --store              write docs/figures/rollouts.json as well
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from simulated_traffic import Fault, Traffic, World

from marline.rollout.analysis import METRICS, Judge, Limits, Step

FIGURE = Path(__file__).resolve().parent.parent / "docs" / "figures" / "rollouts.json"
LIMITS = Limits(cpu_idle_cores=0.02)
ALPHA = 0.05
STEPS = (Step(10, 60, 300), Step(50, 60, 300), Step(90, 60, 300))
WORLDS = {
    "20 rps": World(rps=20),
    "20 rps, 10 replayed/s": World(rps=20, replay_rps=10),
    "100 rps, 10 replayed/s": World(rps=100, replay_rps=10),
    # every pod stumbles every five minutes, six times as often as elsewhere
    "20 rps, 10 replayed/s, stumbling pods": World(rps=20, replay_rps=10, hiccups_s=300),
}
GOOD = "none (A/A)"
FAULTS = {
    GOOD: Fault(),
    "3x slower": Fault(slower=3),
    "5 % errors": Fault(errors=0.05),
    "20 % errors": Fault(errors=0.2),
    "labels of one class flipped": Fault(flipped=True),
    "3x the CPU": Fault(cpu=3),
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one rollout ended: promoted, or rolled back because of a metric or the deadline."""

    cause: str | None
    step: int
    seconds: float
    total_s: float
    exposed: float


def rollout(seed: int, world: World, fault: Fault, steps: tuple[Step, ...] = STEPS) -> Outcome:
    """One rollout, judged after every scrape until it is decided."""
    traffic = Traffic(np.random.default_rng(seed), world, fault)
    metrics = [metric for metric in METRICS if metric != "agreement" or world.replay_rps > 0]
    judge = Judge(LIMITS, ALPHA, metrics, steps)
    for index, step in enumerate(steps):
        traffic.weigh(step.weight)
        judge.begin(traffic.at)
        while (verdict := judge.observe(traffic.window())).decision == "hold":
            pass
        exposed = traffic.exposed / max(1, traffic.asked)
        if verdict.decision == "abort":
            harmful = [each.metric for each in verdict.evidence if each.harmful]
            return Outcome("+".join(harmful) or "deadline", index, verdict.elapsed_s, traffic.at, exposed)
    return Outcome(None, len(steps) - 1, verdict.elapsed_s, traffic.at, exposed)


def upper_bound(hits: int, runs: int, confidence: float = 0.99) -> float:
    """The one-sided Clopper-Pearson bound of a rate."""
    if hits >= runs:
        return 1.0
    low, high = hits / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        logs = [
            math.lgamma(runs + 1) - math.lgamma(k + 1) - math.lgamma(runs - k + 1)
            + k * math.log(middle) + (runs - k) * math.log1p(-middle)
            for k in range(hits + 1)
        ]  # fmt: skip
        low, high = (middle, high) if sum(map(math.exp, logs)) > 1 - confidence else (low, middle)
    return high


def row(world: str, fault: str, runs: int, seed: int) -> dict[str, Any]:
    """One line of the table."""
    outcomes = [rollout(seed + run, WORLDS[world], FAULTS[fault]) for run in range(runs)]
    back = [each for each in outcomes if each.cause is not None]
    first = sorted(each.seconds for each in back if each.step == 0)
    return {
        "world": world,
        "fault": fault,
        "runs": runs,
        "rolled_back": len(back),
        "upper_99": round(upper_bound(len(back), runs), 4),
        "causes": dict(Counter(str(each.cause) for each in back).most_common()),
        "in_first_step": len(first),
        "within_60_s": sum(seconds <= 60 for seconds in first),
        "median_s": round(statistics.median(first), 1) if first else None,
        "p95_s": round(first[math.ceil(0.95 * len(first)) - 1], 1) if first else None,
        "exposed_share": round(statistics.mean(each.exposed for each in back), 4) if back else None,
    }


def run(good: int, bad: int, seed: int) -> dict[str, Any]:
    """The whole table."""
    rows = []
    for fault in FAULTS:
        for world in list(WORLDS)[: None if fault == GOOD else 3]:
            rows.append(row(world, fault, good if fault == GOOD else bad, seed))
            print(line(rows[-1]), flush=True)
    return {
        "command": "python tools/simulate_rollouts.py --store",
        "seed": seed,
        "alpha": ALPHA,
        "limits": dataclasses.asdict(LIMITS),
        "steps": [dataclasses.asdict(step) for step in STEPS],
        "worlds": {name: dataclasses.asdict(world) for name, world in WORLDS.items()},
        "faults": {name: dataclasses.asdict(fault) for name, fault in FAULTS.items()},
        "rows": rows,
    }


def line(row: dict[str, Any]) -> str:
    """One row as text."""
    causes = ", ".join(f"{cause} {count}" for cause, count in row["causes"].items())
    return (
        f"{row['fault']:28} {row['world']:38} rolled back {row['rolled_back']}/{row['runs']} (99 %: <= {row['upper_99']:.3f}), "
        f"first step {row['in_first_step']}, <= 60 s {row['within_60_s']}, median {row['median_s']} s, p95 {row['p95_s']} s, "
        f"exposed {row['exposed_share']}; {causes}"
    )


def main() -> int:
    """Returns the exit code: 1 when a good candidate is rolled back too often."""
    parser = argparse.ArgumentParser(description="Judge simulated rollouts.")
    parser.add_argument(
        "--runs", type=int, default=500, help="rollouts per row of a good candidate (a bad one gets a fifth)"
    )
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--store", action="store_true", help="write docs/figures/rollouts.json")
    arguments = parser.parse_args()
    began = time.monotonic()
    report = run(arguments.runs, max(20, arguments.runs // 5), arguments.seed)
    print(f"{time.monotonic() - began:.0f} s")
    if arguments.store:
        FIGURE.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    worst = max(row["upper_99"] for row in report["rows"] if row["fault"] == GOOD)
    return int(worst > ALPHA)


if __name__ == "__main__":
    sys.exit(main())
