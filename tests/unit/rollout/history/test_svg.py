"""The chart: where a value lies, and which labels its axes get."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from marline.rollout.history import svg
from marline.rollout.history.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart


def test_the_ends_of_the_axes_are_the_ends_of_the_drawing():
    chart = Chart("t", 100, 0, 50)
    assert [chart.x(0), chart.x(100), chart.x(50)] == [LEFT, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2]
    assert [chart.y(0), chart.y(50)] == [HEIGHT - BOTTOM, TOP]


def test_a_logarithmic_axis_has_equal_factors_at_equal_distances():
    chart = Chart("t", 100, 0.01, 100, log=True)
    assert chart.y(1) == pytest.approx((chart.y(0.01) + chart.y(100)) / 2)
    # what is nothing lies on the ground, not at minus infinity
    assert chart.y(0) == chart.y(0.01)


def test_what_is_beyond_an_end_lies_on_it():
    chart = Chart("t", 100, 0, 1)
    assert (chart.x(-5), chart.x(1e9), chart.y(7), chart.y(-7)) == (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM)


@pytest.mark.parametrize("seconds", [1, 7, 59, 61, 300, 3601, 86_400, 1e6, 1e9])
def test_the_times_are_few_and_inside(seconds):
    found = svg.times(seconds)
    assert found[0] == 0
    assert 1 <= len(found) <= svg.TICKS + 1
    assert found[-1] <= seconds


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (65, "1:05"), (3600, "1:00:00"), (7325, "2:02:05")])
def test_a_clock(seconds, words):
    assert svg.clock(seconds) == words


def test_powers_of_ten_are_few_and_inside():
    assert svg.powers(0.01, 600) == [(0.01, "0.01"), (0.1, "0.1"), (1.0, "1"), (10.0, "10"), (100.0, "100")]
    many = svg.powers(0.01, 1e100)
    assert len(many) <= svg.TICKS
    assert all(0.009 < value <= 1e100 for value, _ in many)


@pytest.mark.parametrize("high", [1e-6, 0.0117, 0.1, 0.999, 1.0, 8.7, 4000])
def test_round_values_are_few_and_inside(high):
    found = [value for value, _ in svg.rounds(high, "errors")]
    assert found[0] == 0
    assert 3 <= len(found) <= 6
    assert found[-1] <= high * 1.0001


def test_one_point_is_a_dot_and_none_is_nothing():
    chart = Chart("t", 10, 0, 1)
    chart.line("candidate", [])
    chart.area("candidate", [(1, 0.5)])
    assert chart.parts == []
    chart.line("candidate", [(1, 0.5)])
    assert [ET.fromstring(part).tag for part in chart.parts] == ["circle"]


def test_a_name_that_would_cover_the_one_before_is_left_out():
    chart = Chart("t", 100, 0, 1)
    for seconds, label in ((0, "10 %"), (1, "20 %"), (50, "50 %")):
        chart.mark(seconds, label)
    drawing = ET.fromstring(chart.drawing())
    assert [text.text for text in drawing.iter("text")] == ["10 %", "50 %"]
    assert len(list(drawing.iter("path"))) == 3


def test_labels_are_escaped():
    chart = Chart('a "t" <b>', 10, 0, 1)
    chart.axes([(0, "<0>")])
    chart.level("limit", 0.5, "a & b")
    chart.mark(1, "<i>")
    drawing = ET.fromstring(chart.drawing())
    assert drawing.attrib["aria-label"] == 'a "t" <b>'
    assert {"<0>", "a & b", "<i>"} <= {text.text for text in drawing.iter("text")}
