"""What wrk asks and how its answers are judged, with the real program where it is installed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from marline.bench import wrk
from marline.bench.questions import Question
from marline.errors import BenchError

from .answering import LABEL, TEXTS, answering, questions

BODY = '{"kind": "ü\\u0000\'", "text": {text}}'
TEMPLATE = '"label": *"{label}"'


@pytest.fixture
def installed() -> None:
    if not shutil.which("wrk"):
        pytest.skip("needs wrk: `apt-get install wrk`")


def read_back(literal: str) -> bytes:
    """The bytes of a Lua string literal of decimal escapes."""
    assert literal[0] == literal[-1] == '"'
    inside = literal[1:-1]
    assert '"' not in inside and "\n" not in inside
    parts = re.findall(r"\\(\d{3})|([^\\])", inside)
    assert sum(4 if number else 1 for number, _ in parts) == len(inside)
    return bytes(int(number) if number else ord(plain) for number, plain in parts)


def test_every_character_is_written_so_that_lua_reads_it(tmp_path: Path) -> None:
    text = "".join(map(chr, range(0x180))) + "\u2028\U0001f600]]--\\n\\\""
    assert read_back(wrk._lua(text)) == text.encode()
    wrk.write_requests(tmp_path / "r.lua", [Question(text, "x", 1)], "/p", "{text}", "{label}")
    written = (tmp_path / "r.lua").read_bytes()
    assert written.isascii()
    row = re.search(rb'rows=\{\n\{(".*"),"x"\}\}\}\n$', written)
    assert row is not None
    assert json.loads(read_back(row[1].decode())) == text


@pytest.mark.parametrize(
    ("template", "label", "expected"),
    [
        (TEMPLATE, "positive", '%"label%": *%"positive%"'.replace(": *", "%: *")),
        ("{label}", "a.b*c", "a%.b%*c"),
        ("x *y", "", "x *y"),
        ("[ *{label}", "%d", "%[ *%%d"),
    ],
)
def test_only_a_blank_with_a_star_means_something_in_a_pattern(template: str, label: str, expected: str) -> None:
    assert wrk.pattern(template, label) == expected


def test_each_answer_is_counted_for_what_it_is(installed: None, tmp_path: Path) -> None:
    connections = 2
    wrk.write_requests(tmp_path / "r.lua", questions(), "/ask?a=%22", BODY, TEMPLATE)
    with answering() as asked:
        found = wrk.closed(asked.url, tmp_path / "r.lua", connections, 1)
    assert asked.paths == {"/ask?a=%22"}
    assert set(asked.bodies) == {BODY.replace("{text}", json.dumps(text)).encode() for text in TEXTS}
    # the last answer of each connection may come after the end
    for counted, texts in (
        (found.right, ("right", "right, with blanks")), (found.wrong, ("wrong", "nearly right")), (found.refused, ("refused", "broken")),
    ):  # fmt: skip
        assert 0 <= asked.count(*texts) - counted <= connections
        assert counted > 0
    assert found.lost == 0
    assert (found.connections, found.rate) == (connections, found.right / found.seconds)
    assert 0 < found.p50_ms <= found.p95_ms <= found.p99_ms <= found.p999_ms


def test_the_label_is_found_however_odd_it_is(installed: None, tmp_path: Path) -> None:
    """With one question only: every answer has to be right, none by chance."""
    wrk.write_requests(tmp_path / "r.lua", [Question("right", LABEL, 1)], "/", '{"text": {text}}', TEMPLATE)
    with answering() as asked:
        found = wrk.closed(asked.url, tmp_path / "r.lua", 1, 1)
    assert found.right > 0
    assert (found.wrong, found.refused, found.lost) == (0, 0, 0)


def test_nobody_there_is_a_sentence(installed: None, tmp_path: Path) -> None:
    wrk.write_requests(tmp_path / "r.lua", questions(), "/", "{text}", "{label}")
    with answering() as gone:
        url = gone.url
    with pytest.raises(BenchError, match=f"^wrk failed on {url}: .*unable to connect"):
        wrk.closed(url, tmp_path / "r.lua", 1, 1)


def test_questions_that_are_missing_are_a_sentence(installed: None, tmp_path: Path) -> None:
    with answering() as asked, pytest.raises(BenchError, match=f"^wrk failed on {asked.url}: "):
        wrk.closed(asked.url, tmp_path / "missing.lua", 1, 1)


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BenchError, match=r"^wrk is not installed; install it \(Debian: `apt-get install wrk`\)$"):
        wrk.program()
