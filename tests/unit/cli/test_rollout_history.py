from __future__ import annotations

import io

import pytest
from rich.console import Console

from marline.cli import rollout_history
from marline.cli.rollout_history import show
from marline.errors import SourceError
from marline.rollout.canary import record as records
from marline.rollout.history import COLUMNS
from unit.rollout.canary.world import plan


def test_lines_that_a_program_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    show([records.begin(plan(id=f"2026112{n}-000000", created=1_790_000_000.0 + n)) for n in (1, 2)])
    first, *rest = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert first == list(COLUMNS)
    assert [row[0] for row in rest] == ["20261122-000000", "20261121-000000"]
    assert {len(row) for row in rest} == {len(COLUMNS)}


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        rollout_history, "Console", lambda **given: Console(file=screen, force_terminal=True, width=200)
    )
    show([records.begin(plan())])
    assert "20261121-193300" in screen.getvalue()
    assert "\t" not in screen.getvalue()


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(SourceError, match="schema_version 9"):
        show([{**records.begin(plan()), "schema_version": 9}])
