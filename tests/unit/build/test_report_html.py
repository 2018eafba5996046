from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from marline.build.report_html import render
from marline.spec.gates import LIMITS
from unit.build.report_documents import report

VOID = {"meta", "br"}
NAMESPACES = {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}


class Page(HTMLParser):
    """Checks that every element is closed in order; collects text, attributes and ids."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            return
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += f" {data}"

    def row(self, first: str) -> list[str]:
        return next([" ".join(cell.split()) for cell in row] for row in self.rows if row[0].split()[:1] == [first])


@pytest.fixture(scope="module")
def html() -> str:
    return render(report())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_element_is_closed_and_no_id_is_given_twice(page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {"svg", "table"} <= {tag for tag, _, _ in page.attributes} | {"table"}


def test_every_reference_inside_of_a_drawing_has_its_target(html: str, page: Page) -> None:
    ids = {value for _, name, value in page.attributes if name == "id"}
    targets = {value for _, name, value in page.attributes if name == "xlink:href"}
    targets |= {f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", html)}
    assert targets
    assert {target[1:] for target in targets} <= ids


def test_nothing_is_loaded_from_anywhere(html: str, page: Page) -> None:
    assert set(re.findall(r"\w+://[^\s\"')<]*", html)) <= NAMESPACES
    assert not re.search(r"@import|url\((?!#)", html)
    assert not {name for _, name, _ in page.attributes} & {"src", "href", "srcset", "data"}
    assert not {tag for tag, _, _ in page.attributes} & {"script", "link", "img", "iframe", "object"}


def test_text_from_the_report_is_escaped(html: str, page: Page) -> None:
    text = " ".join(page.text)
    for written in ('a <script> & "quotes": nothing was quantized', "Some <CPU> @ 2 GHz", "not a proven <row> & so on"):
        assert written in text
    assert "<script" not in html
    assert "<CPU" not in html


def test_every_variant_has_a_row_with_its_numbers(page: Page) -> None:
    head = page.row("variant")
    int8 = dict(zip(head, page.row("onnx-int8"), strict=True))
    assert int8["quality"] == "pass"
    assert int8["eligible"] == "yes"
    assert int8["accuracy gate"] == "85.00 %"
    assert int8["accuracy test"] == "84.75 %"
    assert int8["p50 ratio"] == "3.20x 3.00 to 3.40"
    assert int8["size MB"] == "23.6"
    assert int8["RSS MB"] == "139.0"
    assert int8["load s"] == "0.61"
    assert int8["flips solo vs batch"] == "4 served alone"
    for name in report()["variants"]:
        assert page.row(name)


def test_what_was_not_measured_is_not_made_up(page: Page) -> None:
    head = page.row("variant")
    other_cpu = dict(zip(head, page.row("onnx-int8-vnni"), strict=True))
    assert other_cpu["eligible"] == "other CPU"
    assert other_cpu["p50 ms"] == other_cpu["RSS MB"] == "-"
    assert page.row("onnx-int8-static")[3:] == ["-"] * (len(head) - 3)


def test_every_missed_limit_is_named_with_what_is_allowed(page: Page) -> None:
    text = " ".join(page.text)
    assert "missed max_drop_points 2.25, allowed 1.5" in text
    assert "missed max_rss_mb 1612, allowed 1500" in text
    assert "is allowed max_drop_points 0.75 instead of 0.5, because: measured on three other data sets & accepted" in text


def test_every_limit_in_force_has_a_row(page: Page) -> None:
    names = list(report()["variants"])
    for limit in LIMITS:
        assert len(page.row(limit)) == 1 + len(names)
    assert page.row("max_flip_share")[1 + names.index("onnx-int8")] == "0 not checked"
    assert page.row("max_drop_points")[1 + names.index("onnx-int8")] == "0.200 ≤ 0.75"


def test_both_plots_name_the_measured_variants(html: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        assert {n for n in report()["variants"] if f">{n}<" in drawing} == {"eager-fp32", "torchscript-fp32", "onnx-int8"}


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(report()) == render(report())
    assert not re.search(r"20\d\d-\d\d-\d\d", render(report()))


def _without_labels() -> dict[str, Any]:
    document = report()
    for entry in document["variants"].values():
        entry.update({key: None for key in ("accuracy", "test_accuracy", "drop_points") if key in entry})
    return document


def _nothing_measured() -> dict[str, Any]:
    document = report()
    kept = {n: v for n, v in document["variants"].items() if "p50_ms" not in v}
    return document | {"variants": kept, "reference": "eager-fp32", "default_variant": None, "default_portable": None}


def _without_times() -> dict[str, Any]:
    document = report()
    for entry in document["variants"].values():
        entry.pop("times_ms", None)
    return document


@pytest.mark.parametrize(
    ("document", "drawings", "says"),
    [
        (_without_labels(), 2, "Agreement against latency"),
        (_nothing_measured(), 0, "none eligible"),
        (_without_times(), 1, "Accuracy against latency"),
    ],
)
def test_reports_that_lack_something(document: dict[str, Any], drawings: int, says: str) -> None:
    html = render(document)
    assert html.count("<svg") == drawings
    assert says in " ".join(Page(html).text)


def test_variants_stand_in_one_order_whatever_the_document_has() -> None:
    document = report()
    document["variants"] = dict(reversed(document["variants"].items()))
    names = [row[0].split()[0] for row in Page(render(document)).rows]
    assert names[1:7] == [
        "eager-fp32", "torchscript-fp32", "torch-int8-static", "onnx-int8", "onnx-int8-vnni", "onnx-int8-static",
    ]


def test_a_value_too_small_for_its_digits_is_not_called_zero() -> None:
    document = report()
    document["variants"]["onnx-int8"]["max_abs"] = 0.00001
    assert Page(render(document)).row("max_abs")[4] == "<0.0001 ≤ 2"


def test_one_stall_does_not_squeeze_the_distributions() -> None:
    document = report()
    document["variants"]["onnx-int8"]["times_ms"][0] = 5000.0
    assert "1 longer ones are beyond the axis" in render(document)
