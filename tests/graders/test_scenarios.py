"""No grader objects to any scenario of the chart, but for what exceptions.yaml argues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from graders.findings import MOST_EXCEPTIONS, Graded, allowed, stale, unexplained
from graders.graders import GRADERS

SERVING = ("Deployment", "Pod")
# conftest gets a scenario as a whole and says nothing about what is right
LOOKING = [name for name in GRADERS if name != "conftest"]


def objects(folder: Path, *kinds: str) -> set[tuple[str, str]]:
    """The objects of each scenario, as (scenario, ``Kind/name``)."""
    return {
        (path.stem, f"{item['kind']}/{item['metadata']['name']}")
        for path in folder.glob("*.yaml")
        for item in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if item and item["kind"] in kinds
    }


@pytest.mark.parametrize("name", GRADERS)
def test_nothing_is_found_that_is_not_explained(graded: Callable[[str], Graded], name: str) -> None:
    found = unexplained(graded(name).findings, allowed())
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("name", LOOKING)
def test_every_pod_was_looked_at(graded: Callable[[str], Graded], scenarios: Path, name: str) -> None:
    seen = {(scenario, subject.lower()) for scenario, subject in graded(name).seen}
    pods = {(scenario, subject.lower()) for scenario, subject in objects(scenarios, *SERVING)}
    assert len(pods) >= 16
    assert pods <= seen


@pytest.mark.parametrize("name", GRADERS)
def test_no_exception_is_stale(graded: Callable[[str], Graded], name: str) -> None:
    own = [one for one in allowed() if one.grader == name]
    assert stale(graded(name).findings, own) == [], "remove it from exceptions.yaml"


def test_exceptions_are_few_and_each_has_an_argument() -> None:
    known = allowed()
    assert len(known) <= MOST_EXCEPTIONS
    assert {one.grader for one in known} <= set(GRADERS)
    assert len({(one.grader, one.check) for one in known}) == len(known)
    assert [one.check for one in known if len(one.why.split()) < 15 or not one.objects] == []
