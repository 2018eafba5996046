"""Questions on their way from one process to another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Question:
    """A text, the label that an undisturbed model gives it, and its length.

    Attributes:
        text: what is asked.
        label: answer of the archive's own handler, asked alone.
        tokens: with special tokens, after truncation.
    """

    text: str
    label: str
    tokens: int


def write(path: Path, asked: list[Question]) -> None:
    """Store questions for another process."""
    path.write_text(json.dumps([vars(q) for q in asked]), encoding="utf-8")


def read(path: Path) -> list[Question]:
    """What :func:`write` stored."""
    return [Question(**q) for q in json.loads(path.read_text(encoding="utf-8"))]
