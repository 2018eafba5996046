"""Records are read whole, or refused in one sentence."""

from __future__ import annotations

import json

import pytest

from marline.errors import SourceError
from marline.rollout.history import load, validate


def test_a_record_of_the_shipped_judge_is_read_back(rolled_back):
    record = load(json.dumps(rolled_back, allow_nan=False), "r.json")
    assert record.outcome == "rolled-back"
    assert record.steps[1].verdicts[-1].decision == "abort"
    assert {e.metric for e in record.steps[0].verdicts[0].evidence} == {"errors", "slow", "agreement", "shift", "cpu"}
    assert record.latest == rolled_back["ended"]


def test_one_that_has_only_begun_is_a_record(begun):
    record = validate(begun)
    assert (record.outcome, record.ended, record.latest) == ("running", None, begun["started"])


def test_the_latest_moment_is_that_of_whatever_happened_last(begun):
    began = begun["started"]
    begun["weights"] = [{"at": began + 7, "stable": 90, "candidate": 10}]
    assert validate(begun).latest == began + 7
    begun["events"] = [{"at": began + 9, "kind": "go", "text": "On."}]
    assert validate(begun).latest == began + 9


def test_keys_of_later_marlines_are_left_out(promoted):
    assert validate({**promoted, "colour": "blue"}) == validate(promoted)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema_version": 2}, "schema_version 2 is not 1, which this marline reads; use the marline that wrote it"),
        ({"outcome": "lost"}, "is no record of a rollout: outcome: input should be 'running', 'promoted', 'rolled-back' or 'stopped'"),
        ({"started": None}, "is no record of a rollout: started: input should be a valid number"),
        ({"started": 1e300}, "is no record of a rollout: started: input should be less than"),
        ({"candidate": {"endpoint": "green"}}, "is no record of a rollout: candidate.model: field required"),
        ({"steps": [{"weight": 101, "pause_s": 1, "deadline_s": 2}]}, "steps.0.weight: input should be less than or equal to 100"),
        ({"alpha": float("nan")}, "alpha: input should be a finite number"),
    ],
)
def test_what_is_none_is_one_sentence(promoted, change, says):
    with pytest.raises(SourceError) as error:
        validate({**promoted, **change}, "r.json")
    assert str(error.value).startswith("r.json: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("document", [None, [], 7, "x", {}])
def test_another_document_is_one_sentence(document):
    with pytest.raises(SourceError, match=r"^record: is no record of a rollout: ") as error:
        validate(document)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff"])
def test_text_that_is_no_json_is_one_sentence(text):
    with pytest.raises(SourceError, match=r"^r\.json: is not JSON \(.*\); name what") as error:
        load(text, "r.json")
    assert "\n" not in str(error.value)
