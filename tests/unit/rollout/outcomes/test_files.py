"""Lines of files and commands."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from marline.errors import SourceError
from marline.rollout.outcomes import files


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_the_lines_of_a_file_keep_their_numbers(tmp_path):
    (tmp_path / "x").write_bytes(b"a\n\n \nb\nc")
    assert list(files.lines(tmp_path / "x")) == [(1, b"a\n"), (4, b"b\n"), (5, b"c")]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(SourceError, match=r"x: cannot be read \(No such file or directory\); name a file of JSON lines$"):
        list(files.lines(tmp_path / "x"))


def test_a_file_that_is_too_long_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_LINES", 2)
    (tmp_path / "x").write_text("a\nb\nc\n")
    with pytest.raises(SourceError, match=r"x: has more than 2 lines; give those of this rollout alone$"):
        list(files.lines(tmp_path / "x"))


def test_a_command_s_output_is_its_lines():
    assert list(files.said(program("print('a'); print('b')"), 30)) == [(1, b"a\n"), (2, b"b\n")]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (program("import sys; print('a'); sys.exit('no database:\\n timed out')"), r"ended with 1 \(no database: timed out\); run it alone"),
        (program("raise SystemExit(3)"), r"ended with 3 \(without a word\)"),
        (["/no/such program"], r"^`'/no/such program'`: cannot be started \(No such file or directory\); name a program that is there$"),
        ([], r"cannot be started \("),
        (["a\0b"], r"cannot be started \(embedded null byte\)"),
    ],
)
def test_a_command_that_fails_is_one_sentence(command, says):
    with pytest.raises(SourceError, match=says) as error:
        list(files.said(command, 30))
    assert "\n" not in str(error.value)


def test_a_command_that_hangs_is_stopped_with_its_children(tmp_path: Path):
    child = tmp_path / "child"
    # the child would outlive a parent that is killed alone
    command = ["sh", "-c", f"sleep 300 & echo $! > {child}; wait"]
    with pytest.raises(SourceError, match=r"has not ended after 2 s, and was stopped; let it write less, or give it longer$"):
        list(files.said(command, 2))
    pid, deadline = int(child.read_text()), time.monotonic() + 30
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(pid)


def running(pid: int) -> bool:
    """Whether a process computes still; one that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_only_a_last_line_may_be_unfinished():
    assert files.parsed(b'{"a": 1}', "x:1") == {"a": 1}
    assert files.parsed(b'{"a": ', "x:1") is None
    with pytest.raises(SourceError, match=r"^x:1: is not JSON \(.*\); write one object per line$"):
        files.parsed(b'{"a": \n', "x:1")
