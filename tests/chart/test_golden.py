"""Every scenario renders exactly what is stored; ``MARLINE_GOLDEN=write`` stores it anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chart.rendering import SCENARIOS, Chart

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_render_is_the_stored_one(chart: Chart, scenario: str) -> None:
    stored, rendered = GOLDEN / f"{scenario}.yaml", chart.text(scenario)
    if os.environ.get("MARLINE_GOLDEN") == "write":
        stored.write_text(rendered, encoding="utf-8")
    assert stored.is_file(), (
        f"{stored.name}: not stored; MARLINE_GOLDEN=write pytest tests/chart/test_golden.py stores it"
    )
    assert rendered == stored.read_text(encoding="utf-8"), (
        "if that is meant: MARLINE_GOLDEN=write pytest tests/chart/test_golden.py"
    )


def test_every_stored_render_has_its_scenario() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(SCENARIOS)
