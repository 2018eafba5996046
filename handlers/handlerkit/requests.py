"""HTTP bodies to items.

TorchServe hands a handler one dict per request.  With a JSON content type ``body`` is the decoded
document; other content types arrive as bytes.  All of them mean the same question and are read as the
same.

A bare ``curl -d`` says that it sends a form.  Under `marline serve` its body arrives as it was sent: a
document, raw text, or a form field ``text=...``.  A stock TorchServe form-decodes it before any handler
sees it: ``text=...`` arrives as a field, and a document as *names and values* of fields, put together
again here.  Some of it is lost for good then: what follows the last ``&`` without a ``=`` (so a whole
document that has no ``=``), repeated names, and what ``+`` and ``%xx`` were.  Where that shows, the answer
names the header that avoids it.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlerkit.errors import RequestError

MAX_ITEMS = 64
FORM_HINT = "TorchServe reads a body without content type as a form: add -H 'Content-Type: application/json'."
FORMS = '{"text": "..."}, a list of texts, {"instances": [...]} or raw text'


@dataclass(frozen=True)
class Question:
    """One request's items, and the shape its answer must take: single, list or instances."""

    items: list[Any]
    form: str

    def answer(self, answers: list[Any]) -> Any:
        """The answers in the shape of the question."""
        if self.form == "single":
            return answers[0]
        return {"predictions": answers} if self.form == "instances" else answers


def body_of(row: Mapping[str, Any]) -> Any:
    """The document a client sent: parsed JSON where it is JSON, else a string.

    Raises:
        RequestError: 400 for an empty body or bytes that are not UTF-8.
    """
    if "body" in row:
        raw = row["body"]
    elif "data" in row:
        raw = row["data"]
    else:
        return _form_document(row)
    return _parse(_decode(raw)) if isinstance(raw, bytes | bytearray | str) else raw


def _decode(raw: bytes | bytearray | str) -> str:
    if isinstance(raw, str):
        return raw
    try:
        return bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"The body is not UTF-8 (byte {error.start}); send UTF-8 text or JSON.") from error


def _parse(text: str) -> Any:
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            return json.loads(stripped)
        except json.JSONDecodeError as error:
            raise RequestError(
                400, f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from error
        except ValueError as error:  # a number of more digits than Python converts
            raise RequestError(400, "The body holds a number with too many digits.") from error
        except RecursionError as error:
            raise RequestError(400, "The body is nested too deeply.") from error
    if text.startswith("text=") and "\n" not in stripped:
        return {"text": urllib.parse.unquote_plus(stripped.removeprefix("text="))}
    if stripped[:1] == '"' and stripped[-1:] == '"' and len(stripped) > 1:
        try:
            return json.loads(stripped)
        except json.JSONDecodeError:
            return text  # raw text that happens to stand in quotes
    return text


def _form_document(row: Mapping[str, Any]) -> Any:
    if not row:
        raise RequestError(400, f"The body is empty, or was lost on the way. {FORM_HINT}")
    raw = _unform(row)
    try:
        return _parse(raw) if isinstance(raw, str) else raw
    except RequestError as error:
        raise RequestError(error.status, f"{error.message} {FORM_HINT}") from error


def _unform(row: Mapping[str, Any]) -> Any:
    """Put a form-decoded body together again: ``name=value`` pairs, joined by ``&``.

    A lone field ``text`` is meant as one: ``curl -d text=...`` asks the same as ``{"text": ...}``.
    """
    fields = {name: _decode(v) if isinstance(v, bytes | bytearray) else v for name, v in row.items()}
    if list(fields) == ["text"] and fields["text"] != "":
        return fields
    return "&".join(name if value in ("", None) else f"{name}={value}" for name, value in fields.items())


def questions(document: Any, key: str) -> Question:
    """Split a document into items.

    Args:
        document: what :func:`body_of` returned.
        key: the field that holds the input in object form ("text" or "inputs").

    Raises:
        RequestError: 400 with the accepted forms; 413 for more than ``MAX_ITEMS`` items.
    """
    if isinstance(document, dict) and "instances" in document:
        document, form = document["instances"], "instances"
        if not isinstance(document, list):
            raise RequestError(400, '"instances" must be a list.')
    elif isinstance(document, list):
        form = "list"
    else:
        return Question([_item(document, key, "The body")], "single")
    if not document:
        raise RequestError(400, "The list of items is empty; send at least one.")
    if len(document) > MAX_ITEMS:
        raise RequestError(413, f"{len(document)} items in one request; at most {MAX_ITEMS} are allowed.")
    return Question([_item(entry, key, f"Item {i}") for i, entry in enumerate(document)], form)


def _item(entry: Any, key: str, where: str) -> Any:
    if isinstance(entry, dict):
        if key not in entry:
            raise RequestError(400, f'{where} has no "{key}"; found {names(entry)}.')
        return entry[key]
    return entry


def names(entry: Mapping[str, Any]) -> str:
    """The first keys of an object, short enough for an error message."""
    shown = ", ".join(repr(key)[:40] for key in sorted(entry)[:5])
    return f"{shown}, ..." if len(entry) > 5 else shown or "an empty object"


def text_of(item: Any, max_chars: int) -> str:
    """An item as text.

    Raises:
        RequestError: 400 for what is not a non-empty string, 413 for more than ``max_chars`` characters.
    """
    if not isinstance(item, str):
        kind = "null" if item is None else type(item).__name__
        raise RequestError(400, f"The text is of type {kind}, not a string; accepted: {FORMS}.")
    if not item.strip():
        raise RequestError(400, f"The text is empty; accepted: {FORMS}.")
    if len(item) > max_chars:
        raise RequestError(413, f"The text has {len(item)} characters; at most {max_chars} are allowed.")
    try:
        item.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON can spell half a surrogate pair
        raise RequestError(400, f"The text is not valid Unicode (character {error.start}).") from error
    return item
