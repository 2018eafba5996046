"""From files, or a command, to the verdict."""

from __future__ import annotations

import sys

import pytest

from marline.errors import MarlineError, SourceError
from marline.rollout.outcomes import Terms, compare
from unit.rollout.outcomes.conftest import stream

TERMS = Terms(0.05)


def test_files_are_joined_and_judged(files):
    exposures, outcomes = files(stream(1, 6000, 0.3, 0.45, (0.2,)))
    found = compare(exposures, outcomes, "blue", "green", TERMS)
    assert found.decision == "better"
    assert found.stable.joined == found.stable.exposed > found.candidate.exposed == found.candidate.joined
    # the other way round it is worse
    assert compare(exposures, outcomes, "green", "blue", TERMS).decision == "worse"


def test_a_command_says_the_same_as_its_file(files):
    exposures, outcomes = files(stream(1, 1000, 0.3, 0.6))
    command = [sys.executable, "-c", f"print(open({str(outcomes)!r}).read())"]
    assert compare(exposures, command, "blue", "green", TERMS) == compare(exposures, outcomes, "blue", "green", TERMS)


def test_lines_that_are_wrong_name_the_file_or_the_command(files, write):
    exposures, outcomes = files(stream(1, 10, 0.5, 0.5))
    bad = write("bad.jsonl", [{"request_id": "r1", "value": 7}])
    with pytest.raises(SourceError, match=r"bad\.jsonl:1: value 7 is not a number from 0 to 1"):
        compare(exposures, bad, "blue", "green", TERMS)
    with pytest.raises(SourceError, match=r"^output of `.*-c 'print\(7\)'`:1: must be an object with"):
        compare(exposures, [sys.executable, "-c", "print(7)"], "blue", "green", TERMS)
    with pytest.raises(SourceError, match=r"none\.jsonl: cannot be read"):
        compare(exposures.with_name("none.jsonl"), outcomes, "blue", "green", TERMS)


def test_what_is_answered_while_the_outcomes_are_read_is_no_stranger(files, write):
    exposures, _ = files([])
    # the command that is asked for the outcomes is when one more request is answered
    text = f"""
open({str(exposures)!r}, "a").write('{{"request_id": "late", "endpoint": "green"}}\\n')
print('{{"request_id": "late", "value": 1}}')
"""
    found = compare(exposures, [sys.executable, "-c", text], "blue", "green", TERMS)
    assert (found.candidate.joined, found.counts.strangers) == (1, 0)


def test_one_endpoint_is_not_two(files):
    exposures, outcomes = files(stream(1, 10, 0.5, 0.5))
    with pytest.raises(MarlineError, match=r"^both arms are the endpoint 'blue'; name two endpoints of the release$"):
        compare(exposures, outcomes, "blue", "blue", TERMS)
