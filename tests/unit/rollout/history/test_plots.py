"""What the plots of a record show."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from marline.rollout.history import plots, validate


def lines(drawing: str, kind: str) -> list[list[tuple[float, float]]]:
    """The points of each line of a kind, in pixels."""
    paths = [p.attrib["d"] for p in ET.fromstring(drawing).iter("path") if p.attrib.get("class") == f"line {kind}"]
    return [[(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)] for path in paths]


def test_a_weight_holds_until_the_next_one(promoted):
    record = validate(promoted)
    (line,) = lines(plots.weights(record), "candidate")
    # up in three steps of its own, each begun where the last one ended
    heights = [height for _, height in line]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 4
    assert all(before[0] == after[0] or before[1] == after[1] for before, after in itertools.pairwise(line))


def test_the_weight_of_a_roll_back_ends_on_the_ground(rolled_back):
    (line,) = lines(plots.weights(validate(rolled_back)), "candidate")
    assert line[0][1] == line[-1][1] == max(height for _, height in line)


def test_an_e_value_has_a_line_per_step_and_crosses_the_threshold_where_it_ended_the_rollout(rolled_back):
    record = validate(rolled_back)
    slow = plots.e_values(record, "slow")
    first, second = lines(slow, "candidate")
    threshold = float(re.search(r'class="line limit" d="M\d+ ([\d.]+)H', slow)[1])
    assert len(second) == len(record.steps[1].verdicts)
    # pixels count from the top
    assert min(height for _, height in first) > threshold > second[-1][1]
    assert first[-1][0] < second[0][0]
    calm = plots.e_values(record, "errors")
    level = float(re.search(r'class="line limit" d="M\d+ ([\d.]+)H', calm)[1])
    assert all(height > level for line in lines(calm, "candidate") for _, height in line)
    assert "rolled back from 200" in slow


def test_the_axis_of_e_values_has_equal_factors_at_equal_distances(rolled_back):
    drawing = ET.fromstring(plots.e_values(validate(rolled_back), "slow"))
    at = {text.text: float(text.attrib["y"]) for text in drawing.iter("text")}
    assert at["1"] - at["10"] == pytest.approx(at["10"] - at["100"], abs=0.2)


def test_the_axis_of_e_values_reaches_beyond_one_whatever_was_found(rolled_back):
    for evidence in (e for s in rolled_back["steps"] for v in s["verdicts"] for e in v["evidence"]):
        evidence.update(threshold=1e-9, e_value=0.0)
    drawing = ET.fromstring(plots.e_values(validate(rolled_back), "slow"))
    assert {"0.01", "0.1", "1"} <= {text.text for text in drawing.iter("text")}


def test_values_of_both_arms_lie_on_their_side_of_the_limit(rolled_back):
    drawing = plots.values(validate(rolled_back), "slow")
    candidate, stable, limit = (lines(drawing, kind)[-1][-1][1] for kind in ("candidate", "stable", "limit"))
    assert candidate < limit < stable


def test_what_was_never_judged_has_no_plot(begun):
    record = validate(begun)
    assert plots.weights(record) == ""
    assert plots.metrics(record) == []


@pytest.mark.parametrize("hostile", [{"e_value": 0.0}, {"e_value": 1e300}, {"candidate": 0, "stable": 0, "allowed": 0}, {"candidate": None, "stable": None, "allowed": None}])
def test_no_value_breaks_a_drawing(rolled_back, hostile):
    for step in rolled_back["steps"]:
        for verdict in step["verdicts"]:
            for evidence in verdict["evidence"]:
                evidence.update(hostile)
    record = validate(rolled_back)
    for drawing in (plots.e_values(record, "slow"), plots.values(record, "slow")):
        assert not re.search(r"nan|inf", drawing)
        ET.fromstring(drawing)
