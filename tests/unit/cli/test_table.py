from __future__ import annotations

import io

import pytest
from rich.console import Console

from marline.cli.table import COLUMNS, comparison, print_report, print_table
from unit.build.report_documents import report


def test_every_variant_has_a_row_with_a_cell_per_column() -> None:
    rows = comparison(report())
    assert [row[0] for row in rows] == list(report()["variants"])
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_a_measured_variant() -> None:
    row = dict(zip(COLUMNS, comparison(report())[3], strict=True))
    assert row == {
        "variant": "onnx-int8", "status": "pass", "eligible": "yes", "accuracy": "85.00 %", "agreement": "98.00 %",
        "p50 (x eager)": "5.00 ms (3.20x)", "p95 (x eager)": "7.50 ms (3.20x)", "throughput (x eager)": "3.20x",
        "size MB": "23.6", "RSS MB": "139.0", "load s": "0.61", "flips": "4", "missed": "-",
    }


def test_missed_limits_and_errors_are_named() -> None:
    missed = {row[0]: row[-1] for row in comparison(report())}
    assert missed["torchscript-fp32"] == "max_rss_mb"
    assert missed["torch-int8-static"] == "max_drop_points"
    assert missed["onnx-int8-static"] == "error"


def test_lines_are_aligned_and_plain_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    print_table(report(), Console(file=out, width=40))
    lines = out.getvalue().splitlines()
    head, rows = lines[0], lines[1 : 1 + len(report()["variants"])]
    assert "\x1b" not in out.getvalue()
    for row, cells in zip(rows, comparison(report()), strict=True):
        assert row.split()[0] == cells[0]
        assert row.index(cells[-1], head.index("missed")) == head.index("missed")
        assert cells[8] == row[: head.index("size MB") + len("size MB")].split()[-1]


def test_the_reasons_follow_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report())
    lines = capsys.readouterr().out.splitlines()
    assert "default on CPU class avx2: onnx-int8; on unknown CPUs: onnx-int8" in lines
    assert "torch-int8-static missed max_drop_points 2.25, allowed 1.5" in lines
    assert 'onnx-int8-static failed: a <script> & "quotes": nothing was quantized' in lines


@pytest.mark.parametrize(("width", "all_columns"), [(200, True), (90, False)])
def test_a_terminal_gets_a_table_that_fits(width: int, all_columns: bool) -> None:
    out = io.StringIO()
    print_table(report(), Console(file=out, width=width, force_terminal=True, color_system=None))
    text = out.getvalue()
    table = text[: text.index("default on CPU class")].splitlines()
    assert max(map(len, table)) <= width
    assert "…" not in text
    assert ("throughput" in text) is all_columns
    assert all(any(line.split()[:1] == [name] for line in table) for name in report()["variants"])


def test_brackets_in_an_error_are_no_markup() -> None:
    document = report()
    document["variants"]["onnx-int8-static"]["error"] = "expected [batch, tokens], found [red]"
    out = io.StringIO()
    print_table(document, Console(file=out, width=200, force_terminal=True, color_system=None))
    assert "expected [batch, tokens], found [red]" in out.getvalue()
