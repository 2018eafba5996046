"""Open-loop load: what k6 is given and how its counts come back."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from cluster.binaries import digest, module_of
from cluster.settings import cache
from marline.bench import openloop
from marline.bench.contenders import Contender, Up
from marline.bench.questions import Question
from marline.errors import BenchError

from .answering import LABEL, answering, questions

ASKED = Contender("a", "A", lambda: nullcontext(Up("", ())), "/ask", '{"text": {text}}', '"label": *"{label}"')
LINE = {
    "right": 30, "wrong": 1, "refused": 2, "failed": 3, "dropped": 4, "p50_ms": 1.5, "p95_ms": 2, "p99_ms": 3, "p999_ms": 4,
    "refused_p99_ms": None,
}  # fmt: skip


@pytest.fixture
def k6(monkeypatch: pytest.MonkeyPatch) -> None:
    built = cache() / "bin" / digest(module_of("k6")) / "k6"
    if not os.environ.get("MARLINE_K6") and not shutil.which("k6"):
        if not built.is_file():
            pytest.skip("needs k6: `make bench` builds it, or name one in MARLINE_K6")
        monkeypatch.setenv("MARLINE_K6", str(built))


def program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something in k6's place."""
    path = folder / "k6"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("MARLINE_K6", str(path))


def test_labels_are_compared_without_blanks(tmp_path: Path) -> None:
    openloop.write_requests(tmp_path / "r.json", [Question('a "b" ü', "very good", 1)], ASKED)
    assert json.loads((tmp_path / "r.json").read_text()) == {
        "path": "/ask", "rows": [[json.dumps({"text": 'a "b" ü'}), '"label":"verygood"']],
    }  # fmt: skip


def test_the_counts_are_those_of_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, f"echo noise; echo 'marline {json.dumps(LINE)}'", monkeypatch)
    found = openloop.open_loop("http://x", tmp_path / "r.json", 20.4, 2.6)
    assert found == openloop.Open(rate=20, seconds=3, **LINE)
    assert found.goodput == 10


def test_its_orders_are_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, f'env > {tmp_path}/env; echo "$@" > {tmp_path}/arguments; exit 3', monkeypatch)
    monkeypatch.setenv("K6_OUT", "cloud")
    with pytest.raises(BenchError, match=r"^k6 failed on http://x \(exit code 3\): $"):
        openloop.open_loop("http://x", tmp_path / "r.json", 0.2, 0.2)
    given = dict(row.split("=", 1) for row in (tmp_path / "env").read_text().splitlines())
    assert (given["TARGET"], given["REQUESTS"], given["RATE"], given["SECONDS"]) == ("http://x", f"{tmp_path}/r.json", "1", "1")
    assert "K6_OUT" not in given
    assert "--no-usage-report" in (tmp_path / "arguments").read_text().split()


def test_its_words_are_in_the_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "echo 'no such executor' >&2; exit 107", monkeypatch)
    with pytest.raises(BenchError, match=r"^k6 failed on http://x \(exit code 107\): no such executor$"):
        openloop.open_loop("http://x", tmp_path / "r.json", 1, 1)


def test_without_k6_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("MARLINE_K6", raising=False)
    with pytest.raises(BenchError, match=r"^k6 is not there; build it \(`go install .*`\) and name it in MARLINE_K6$"):
        openloop.program()
    monkeypatch.setenv("MARLINE_K6", "/nonexistent/k6")
    with pytest.raises(BenchError, match="^k6 is not there"):
        openloop.program()


def test_each_answer_is_counted_for_what_it_is(k6: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openloop, "MOST", 20)
    openloop.write_requests(tmp_path / "r.json", [*questions(), Question("right", LABEL, 1)], ASKED)
    with answering() as asked:
        found = openloop.open_loop(asked.url, tmp_path / "r.json", 70, 1)
    assert asked.paths == {"/ask"}
    # the last ones may be answered after the load has ended, and are then no throughput of it
    assert asked.count("right", "right, with blanks") - 3 <= found.right <= asked.count("right", "right, with blanks")
    assert found.right > 0
    assert found.wrong == asked.count("wrong", "nearly right") > 0
    assert found.refused == asked.count("refused") > 0
    assert found.failed == asked.count("broken") > 0
    assert 0 < found.p50_ms <= found.p99_ms <= found.p999_ms
    assert found.refused_p99_ms is not None and found.refused_p99_ms > 0
