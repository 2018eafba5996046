"""Frozen dataclasses to JSON and back: strict on reading, canonical on writing, no dependencies.

The law, kept by a property test: ``loads(T, dumps(x)) == x`` for every value ``x`` of ``T``.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class CodecError(ValueError):
    """A JSON document that does not have the shape of the type it should be."""


def dumps(value: Any) -> str:
    """Canonical JSON text of a dataclass: sorted keys, two spaces, one final newline."""
    return json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as the dicts and lists that JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def loads(kind: type[T], text: str | bytes) -> T:
    """Parse ``text`` as ``kind``.

    Raises:
        CodecError: naming the path of the first value that does not fit, and what would.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"not JSON: {error}") from error
    return typing.cast(T, _build(kind, document, "$"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise CodecError(f"key {key!r} is given twice")
        out[key] = value
    return out


def _no_number(word: str) -> Any:
    raise CodecError(f"{word} is not a JSON number")


def _finite(text: str) -> float:
    if (value := float(text)) in (float("inf"), float("-inf")):
        raise CodecError(f"{text} is too large for a number")
    return value


def _build(kind: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path)
    if origin in (typing.Union, types.UnionType):
        return _build_union(args, value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise CodecError(f"{path}: expected a list, found {_name(value)}")
        return tuple(_build(args[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise CodecError(f"{path}: expected an object, found {_name(value)}")
        return {key: _build(args[1], item, f"{path}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _finite(str(value))
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise CodecError(f"{path}: expected {getattr(kind, '__name__', kind)}, found {_name(value)}")
    return value


def _build_dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise CodecError(f"{path}: expected an object, found {_name(value)}")
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    if unknown := sorted(set(value) - set(names)):
        raise CodecError(f"{path}: unknown key {unknown[0]!r}; known: {', '.join(names)}")
    if missing := [name for name in names if name not in value]:
        raise CodecError(f"{path}: missing key {missing[0]!r}")
    return kind(**{name: _build(hints[name], value[name], f"{path}.{name}") for name in names})


def _build_union(args: tuple[Any, ...], value: Any, path: str) -> Any:
    reasons = []
    for option in args:
        try:
            return _build(option, value, path)
        except CodecError as error:
            reasons.append(str(error))
    raise CodecError(reasons[0] if len(args) == 2 and type(None) in args else "; or ".join(reasons))


def _name(value: Any) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(type(value), repr(value)[:60])
