"""Requests to replay, and their recorded answers: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlerkit.manifest import Golden, Manifest
from marline.artifact import atomic
from marline.errors import SourceError

# every row of an embedding is compared with every other one: memory grows with the square
MAX_REQUESTS = 10_000
KEYS = ("id", "request", "answer")


@dataclass(frozen=True)
class Item:
    """One request.

    Attributes:
        id: what it is called when it is shown.
        request: the JSON document that is sent.
        answer: the JSON document that was answered when it was recorded; None where there is none.
        golden: the archive's own record of it; None where there is none.
    """

    id: str
    request: Any
    answer: Any = None
    golden: Golden | None = None


@dataclass(frozen=True)
class Questions:
    """Requests from one source.

    Attributes:
        source: a phrase that names it, such as ``gate items of sentiment 1.0.0``.
        items: the requests.
        model: the model they are for; None where the source does not say.
        manifest: of the archive whose golden requests they are; None for others.
        max_abs: per variant, the gate's limit of that name, where the source knows it.
    """

    source: str
    items: tuple[Item, ...]
    model: str | None = None
    manifest: Manifest | None = None
    max_abs: Mapping[str, float] = field(default_factory=dict)


def read(path: Path) -> Questions:
    """Read recorded requests.

    Args:
        path: JSON lines with the keys ``request``, and optionally ``id`` and ``answer``; empty lines are left out.

    Raises:
        SourceError: for a file that cannot be read, the first line that is no such object, no request
            at all, or more than ``MAX_REQUESTS``.
    """
    try:
        # not splitlines: JSON may hold the other characters that it takes for ends of lines
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SourceError(f"{path}: cannot be read ({reason}); name a file of JSON lines with `--requests`") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not 0 < len(numbered) <= MAX_REQUESTS:
        raise SourceError(
            f"{path}: holds {len(numbered)} requests; allowed: 1 to {MAX_REQUESTS}; "
            "record some, or take a sample of them (`shuf -n`)"
        )
    return Questions(f"requests of {path.name}", tuple(_item(path, number, line) for number, line in numbered))


def _item(path: Path, number: int, line: str) -> Item:
    try:
        document = loads(line)
    except ValueError as error:
        raise SourceError(f"{path}:{number}: is not JSON ({error}); write one object per line") from error
    if not isinstance(document, dict) or "request" not in document or set(document) - set(KEYS):
        found = ", ".join(sorted(map(repr, document))) if isinstance(document, dict) else type(document).__name__
        raise SourceError(
            f"{path}:{number}: must be an object with `request`, and optionally `id` and `answer`; found {found or 'no key'}"
        )
    return Item(str(document.get("id", number)), document["request"], document.get("answer"))


def write(path: Path, items: Iterable[Item]) -> None:
    """Write requests and answers, whole or not at all, as :func:`read` reads them.

    Raises:
        SourceError: when the file cannot be written.
    """
    lines = [
        json.dumps({"id": i.id, "request": i.request, "answer": i.answer}, ensure_ascii=False, allow_nan=False)
        for i in items
    ]
    try:
        atomic.write_text(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that is there"
        ) from error


def loads(text: str | bytes) -> Any:
    """A JSON document; NaN and infinities, which Python would take, are no JSON.

    Raises:
        ValueError: when it is none.
    """

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not a JSON number")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
