"""The page: whole, safe, and the same for the same record."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from marline.rollout.history import page, validate

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Every element is closed in its order; the words and the elements' names are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data.strip())


def read(document) -> Reader:
    reader = Reader()
    reader.feed(page(validate(document)))
    reader.close()
    assert reader.open == []
    return reader


def test_it_needs_nothing_from_anywhere(rolled_back):
    text, reader = page(validate(rolled_back)), read(rolled_back)
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not {name for name, _ in reader.attributes} & {"src", "href", "srcset", "onload", "onclick"}
    assert not re.search(r"https?:|url\(|@import", text)
    assert "prefers-color-scheme: dark" in text


def test_it_says_what_happened(rolled_back):
    words = " ".join(read(rolled_back).words)
    for said in (
        "rolled-back", "slow is beyond its limit (0.9, allowed 0.1, stable 0.03): e-value 700 of 200.", "1.1.0 onnx-int8-static",
        "12.5 %", "1,200 of 9,600 requests", "ada@laptop", "2 pods of green are ready & answer their golden requests.",
        "At most 5 % of the rollouts", "error_share",
    ):  # fmt: skip
        assert said in words
    # in their order, whatever that of the record is
    assert words.index("2 pods of green") < words.index("10 % of the traffic goes")


def test_each_metric_has_its_two_plots_and_each_step_its_evidence(rolled_back):
    reader = read(rolled_back)
    assert reader.tags.count("svg") == 1 + 2 * 5
    headings = [word for word in reader.words if word.startswith("Step ")]
    assert headings == ["Step 1: 10 %", "Step 2: 50 %"]
    assert page(validate(rolled_back)).count('<tr class="miss">') == 1


def test_a_good_one_has_no_harm_in_it(promoted):
    text = page(validate(promoted))
    assert '<span class="tag good">promoted</span>' in text
    assert '<tr class="miss">' not in text


def test_one_that_has_only_begun_has_a_page(begun):
    reader = read(begun)
    assert "svg" not in reader.tags
    assert {"No weight was set.", "Nothing was judged.", "running"} <= set(reader.words)


def test_the_same_record_gives_the_same_text(promoted):
    assert page(validate(promoted)) == page(validate(promoted))


EVIL = '"><script>alert(1)</script>&amp;\'<svg onload=x>'


def poisoned(value):
    """Every string of a document that is free text, with markup in it."""
    if isinstance(value, dict):
        kept = ("outcome", "decision")
        names = {EVIL: 1.0} if set(value) == {"error_share", "min_answers"} else {}
        return {**{k: v if k in kept else poisoned(v) for k, v in value.items()}, **names}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.parametrize("which", ["promoted", "rolled_back", "begun"])
def test_nothing_in_a_record_becomes_markup(request, which):
    document = request.getfixturevalue(which)
    reader = read(poisoned(document))
    assert "script" not in reader.tags
    assert "onload" not in {name for name, _ in reader.attributes}
    assert any("<script>alert(1)</script>" in word for word in reader.words)
