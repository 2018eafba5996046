"""Every scenario of the chart, rendered, and every grader that can be had."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from chart.conftest import chart, helm, program
from chart.rendering import SCENARIOS, Chart
from cluster.fixtures import cluster
from graders import environment
from graders.findings import Graded
from graders.graders import GRADERS

__all__ = ["chart", "cluster", "helm"]

Grade = Callable[[str, Path], Graded]


@pytest.fixture(scope="session")
def grade() -> Grade:
    """Call it with a grader's name and a folder; it skips where the grader cannot be had."""

    def called(name: str, folder: Path) -> Graded:
        if GRADERS[name].built:
            found = program(name)
        else:
            try:
                found = environment.program(name)
            except environment.Unavailable as error:
                pytest.skip(f"no {name}: {error}")
        return GRADERS[name].grade(found, folder)

    return called


@pytest.fixture(scope="session")
def scenarios(chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the render of each scenario."""
    folder = tmp_path_factory.mktemp("scenarios")
    for name in SCENARIOS:
        (folder / f"{name}.yaml").write_text(chart.text(name), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def graded(grade: Grade, scenarios: Path) -> Callable[[str], Graded]:
    """What a grader, by its name, says about all scenarios; each is asked once."""
    return functools.cache(lambda name: grade(name, scenarios))
