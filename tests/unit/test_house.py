"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for d in ("src/marline", "handlers") for p in (ROOT / d).rglob("*.py") if "_data" not in p.parts)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home)/")


def test_no_file_is_long_and_most_are_short():
    lines = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in SOURCES}
    assert {name: n for name, n in lines.items() if n > 400} == {}
    assert sum(p.stat().st_size for p in SOURCES) / len(SOURCES) < 6000


def test_no_file_names_a_path_of_one_machine():
    others = [p for d in ("benchmarks", "config", "tests", "tools", "docs") for p in (ROOT / d).rglob("*") if p.suffix in (".py", ".yaml", ".md", ".json")]
    found = [p for p in (*SOURCES, *others) if p != Path(__file__) and MACHINE_PATH.search(p.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize("room", ["spec", "rollout/helm", "rollout/canary", "serve/fastapi", "bench/profile"])
def test_every_file_of_a_room_has_its_test_file(room):
    sources = {p.stem for p in (ROOT / "src/marline" / room).glob("*.py")} - {"__init__"}
    tests = {p.stem.removeprefix("test_") for p in (ROOT / "tests/unit" / room).glob("test_*.py")}
    assert tests == sources
