"""Rollouts as a table on a terminal, aligned lines elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from marline.rollout.history import COLUMNS, table, validate


def show(records: list[dict[str, Any]]) -> None:
    """Print one line for each rollout."""
    rows = table([validate(record) for record in records])
    console = Console(highlight=False)
    if not console.is_terminal:
        for row in [COLUMNS, *rows]:
            print("\t".join(row))
        return
    shown = Table(*COLUMNS, box=None, header_style="bold")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
