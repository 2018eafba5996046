"""The generated blocks of docs/11-analysis.md: the limits of a rollout, and the stored run of the simulation."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from docs_tables import table

from marline.rollout.analysis import Limits

STORED = Path(__file__).resolve().parent.parent / "docs" / "figures" / "rollouts.json"
ATTRIBUTE = re.compile(r"^ {8}(\w+): (.+?)(?=^ {8}\w+: |^ {4}\S|\Z)", re.MULTILINE | re.DOTALL)


def rollout_limits() -> str:
    """Every limit with its default and meaning."""
    meanings = {name: " ".join(text.split()) for name, text in ATTRIBUTE.findall(Limits.__doc__ or "")}
    rows = [(f"`{field.name}`", f"{field.default:g}", meanings[field.name].replace("``", "`")) for field in dataclasses.fields(Limits)]
    return table(("limit", "default", "meaning"), rows)


def rollout_figures() -> str:
    """What the stored run found: roll-backs of good candidates, and how soon bad ones are."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    good = next(iter(stored["faults"]))
    steps = ", ".join(f"{step['weight']} %" for step in stored["steps"])
    first = stored["steps"][0]
    intro = (
        f"`{stored['command']}`, seed {stored['seed']}: steps of {steps}, each at least {first['pause_s']:g} s and at most "
        f"{first['deadline_s']:g} s, scraped every {next(iter(stored['worlds'].values()))['scrape_s']:g} s."
    )
    alike = [row for row in stored["rows"] if row["fault"] == good]
    harmed = [row for row in stored["rows"] if row["fault"] != good]
    calm = table(
        ("good candidates, traffic", "rollouts", "rolled back", "99 % upper bound", "because of"),
        [(r["world"], str(r["runs"]), str(r["rolled_back"]), f"{100 * r['upper_99']:.1f} %", _causes(r)) for r in alike],
    )
    power = table(
        ("fault", "traffic", "rolled back", "in the first step", "within 60 s", "median", "95 %", "exposed traffic", "because of"),
        [
            (
                row["fault"],
                row["world"],
                f"{row['rolled_back']} of {row['runs']}",
                str(row["in_first_step"]),
                str(row["within_60_s"]),
                _seconds(row["median_s"]),
                _seconds(row["p95_s"]),
                "none" if row["exposed_share"] is None else f"{100 * row['exposed_share']:.1f} %",
                _causes(row),
            )
            for row in harmed
        ],
    )
    return f"{intro}\n\n{calm}\n\n{power}"


def _causes(row: dict[str, Any]) -> str:
    return ", ".join(f"{cause} {count}" for cause, count in row["causes"].items()) or "nothing"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:g} s"
