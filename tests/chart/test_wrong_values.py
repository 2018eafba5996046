"""Every wrong value is refused before anything is applied, in words that name the key."""

from __future__ import annotations

import pytest

from chart.rendering import Chart
from chart.wrong_flagger import FLAGGER
from chart.wrong_values import ENDPOINT, WRONG, Wrong, variant

ALL = (*WRONG, *FLAGGER)


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.name)
def test_is_refused_with_the_key(chart: Chart, wrong: Wrong) -> None:
    refusal = chart.refusal(wrong.scenario, wrong.text)
    missing = [part for part in wrong.says if part not in refusal]
    assert not missing, f"{missing} not in:\n{refusal}"


def test_the_list_is_long_and_names_nothing_twice() -> None:
    assert len(ALL) >= 35
    assert len({wrong.name for wrong in ALL}) == len(ALL)


def test_one_problem_is_one_sentence(chart: Chart) -> None:
    wrong = next(wrong for wrong in WRONG if wrong.name == "no image")
    sentence = chart.refusal(wrong.scenario, wrong.text).split("\n")[1]
    assert sentence.startswith("image.repository is empty") and sentence.endswith(".")


def test_all_problems_are_told_at_once(chart: Chart) -> None:
    values = Wrong(
        "",
        variant(server={"threads": 4}, terminationGracePeriodSeconds=1, resources={"server": {"limits": {"cpu": 1}}}),
        (),
    )
    refusal = chart.refusal("minimal", values.text)
    assert f"variants.{ENDPOINT}.server.threads" in refusal
    assert f"variants.{ENDPOINT}.terminationGracePeriodSeconds" in refusal
