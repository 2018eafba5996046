"""Questions survive the way to another process."""

from __future__ import annotations

from pathlib import Path

from marline.bench.questions import Question, read, write


def test_what_is_written_is_read(tmp_path: Path) -> None:
    asked = [Question('a "b"\n\\ \u2028 \0', "positive", 5), Question("ü \U0001f600", "négatif", 1)]
    write(tmp_path / "q.json", asked)
    assert read(tmp_path / "q.json") == asked
