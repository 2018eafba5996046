"""pydantic's errors as sentences: file, line, key, what was found, and what the schema allows there."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from marline.errors import SpecError
from marline.spec.allowed import Schema
from marline.spec.base import BrokenRules
from marline.spec.yaml import Document

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str, ...]


def validate(kind: type[Model], document: Document) -> Model:
    """The document as a ``kind``.

    Raises:
        SpecError: all problems.  Rules that span keys are only checked by pydantic once every single
            value is right, so wrong values are taken out and the rest is checked again.
    """
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        raise SpecError(_all_problems(kind, document, error)) from error


def _all_problems(kind: type[BaseModel], document: Document, error: ValidationError | None) -> list[str]:
    schema = Schema(kind)
    data = copy.deepcopy(document.data)
    reported: list[Path] = []
    problems: list[tuple[int, str]] = []
    while error is not None:
        found = [problem for e in error.errors() for problem in _problems(schema, data, e)]
        for path, sentence in found:
            # what follows from a value taken out is no problem of its own
            if not any(path[: len(old)] == old or old[: len(path)] == path for old in reported):
                problems.append((document.lines.get(path, 0), f"{document.where(path)}: {sentence}"))
        reported += [path for path, _ in found]
        taken = [_take_out(schema, data, path) for path, _ in found]
        if not any(taken):
            break
        try:
            kind.model_validate(data)
            error = None
        except ValidationError as next_error:
            error = next_error
    return [sentence for _, sentence in sorted(dict.fromkeys(problems))]


def _problems(schema: Schema, data: Any, error: Any) -> Iterator[tuple[Path, str]]:
    path = _written_path(data, error)
    kind = error["type"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, BrokenRules):
        for key, sentence in cause.problems:
            yield (*path, *key), sentence
    elif kind == "extra_forbidden":
        keys = schema.keys(path[:-1], data)
        close = difflib.get_close_matches(path[-1], keys, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        yield path, f"unknown key; {hint}allowed: {', '.join(keys)}"
    elif kind == "missing":
        yield path, f"required key is missing; add it, allowed: {schema.allowed(path, data)}"
    elif kind == "union_tag_not_found":
        yield (*path, "kind"), f"required key is missing; add it, allowed: {schema.allowed((*path, 'kind'), data)}"
    elif kind == "union_tag_invalid":
        found = schema.value((*path, "kind"), data)
        yield (*path, "kind"), f"{_short(found)} is not allowed; allowed: {schema.allowed((*path, 'kind'), data)}"
    elif error["loc"] and error["loc"][-1] == "[key]":
        yield path, f"unknown key; allowed: {schema.allowed_keys(path[:-1], data)}"
    else:
        yield path, f"{_short(error['input'])} is not allowed; allowed: {schema.allowed(path, data)}"


def _written_path(data: Any, error: Any) -> Path:
    """Pydantic's location without what the file does not have: the names of a union's members."""
    path: list[str] = []
    last = len(error["loc"]) - 1
    for index, part in enumerate(error["loc"]):
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            data = data[part]
        elif not (index == last and error["type"] == "missing"):
            continue
        path.append(str(part))
    return tuple(path)


def _take_out(schema: Schema, data: Any, path: Path) -> bool:
    """Remove the value at ``path``, or what it is required in; a required top-level key becomes its example."""
    for end in range(len(path), 0, -1):
        parent = schema.value(path[: end - 1], data)
        key = path[end - 1]
        if isinstance(parent, dict) and key in parent:
            del parent[key]
            return True
        if isinstance(parent, list) and key.isdigit() and int(key) < len(parent):
            # an index must not move, or a second problem would be named wrongly
            return _take_out(schema, data, path[: end - 1])
        example = schema.example(path[:end])
        if end == 1 and isinstance(parent, dict) and example is not None:
            parent[key] = example
            return True
    return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
