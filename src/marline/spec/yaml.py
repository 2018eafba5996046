"""Strict YAML: a small, unsurprising part of the language, and the line of every key.

Scalars are read as YAML 1.2 reads them (``no`` is text, ``1e-3`` a number, a date is text, ``012`` no
octal).  Refused are duplicate keys, keys that are not text, anchors' aliases, merge keys and explicit
tags: a value stands where it is written, so that a problem has one line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from marline.errors import SpecError

MAX_DEPTH = 50


class _Core(yaml.SafeLoader):
    """Resolves plain scalars by YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own class attribute


for _tag, _pattern, _first in (
    ("null", r"~|null|", [*"~n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.inf|\.nan", list("-+.")),
    ("merge", r"<<", ["<"]),
):
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)

_SCALARS: dict[str, Any] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
    "tag:yaml.org,2002:str": str,
}
_CONTAINERS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Document:
    """A parsed YAML mapping and the line of each of its keys and items, by path."""

    def __init__(self, path: Path, data: dict[str, Any], lines: dict[tuple[str, ...], int]) -> None:
        self.path = path
        self.data = data
        self.lines = lines

    def where(self, key: str | Sequence[str]) -> str:
        """``file:line: dotted.key``; the line is that of the nearest parent that has one."""
        parts = tuple(key.split(".")) if isinstance(key, str) else tuple(key)
        known = parts
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known else ""
        return f"{self.path}{line}: {_dotted(parts)}"


def read_yaml(path: Path) -> Document:
    """Read one YAML mapping.

    Raises:
        SpecError: when the file is missing, is not YAML, is not a mapping, or uses what is refused
            (all places, each with its line).
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Core)
    except OSError as error:
        raise SpecError([f"{path}: cannot be read ({error.strerror}); check the path"]) from error
    except UnicodeDecodeError as error:
        raise SpecError([f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8"]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # chr() raises for "\UFFFFFFFF"
        raise SpecError([f"{path}{_line(error)}: is not valid YAML: {_reason(error)}"]) from error
    except RecursionError as error:
        raise SpecError([f"{path}: is nested deeper than {MAX_DEPTH} levels; flatten it"]) from error
    if not isinstance(root, yaml.MappingNode):
        raise SpecError([f"{path}: must be a mapping of keys to values; write `key: value` lines"])
    builder = _Builder(path)
    data = builder.build(root, ())
    if builder.problems:
        raise SpecError(builder.problems)
    return Document(path, data, builder.lines)


class _Builder:
    """Nodes to plain values, with lines and problems noted on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[tuple[str, ...], int] = {}
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def build(self, node: yaml.Node, at: tuple[str, ...]) -> Any:
        if len(at) > MAX_DEPTH:
            return self._refuse(node, at[:3], f"is nested deeper than {MAX_DEPTH} levels; flatten it")
        if id(node) in self._seen:
            return self._refuse(None, at, "an alias (*name) is not allowed; write the value out again")
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if node.tag not in _CONTAINERS:
            return self._refuse(node, at, f"the tag {_tag_name(node)} is not allowed; remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        items = []
        for index, value in enumerate(node.value):
            self.lines[(*at, str(index))] = value.start_mark.line + 1
            items.append(self.build(value, (*at, str(index))))
        return items

    def _mapping(self, node: yaml.MappingNode, at: tuple[str, ...]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                self._refuse(key, (*at, "<<"), "a merge key is not allowed; write the keys out again")
                continue
            if key.tag != "tag:yaml.org,2002:str":
                self._refuse(key, (*at, str(key.value)[:60]), "a key must be text; put it in quotes")
                continue
            name = (*at, key.value)
            if key.value in out:
                first = self.lines[name]
                self._refuse(key, name, f"duplicate key (first on line {first}); keep one of them")
                continue
            self.lines[name] = key.start_mark.line + 1
            out[key.value] = self.build(value, name)
        return out

    def _scalar(self, node: yaml.ScalarNode, at: tuple[str, ...]) -> Any:
        read = _SCALARS.get(node.tag)
        if read is None:
            return self._refuse(node, at, f"the tag {_tag_name(node)} is not allowed; remove it")
        try:
            return read(node.value)
        except ValueError:  # `!!int x`, or more digits than Python converts
            return self._refuse(node, at, f"{node.value[:40]!r} is not a value of type {_tag_name(node)}")

    def _refuse(self, node: yaml.Node | None, at: tuple[str, ...], sentence: str) -> None:
        line = node.start_mark.line + 1 if node else self.lines.get(at, 1)
        self.problems.append(f"{self.path}:{line}: {_dotted(at)}: {sentence}")


def _dotted(path: Sequence[str]) -> str:
    """The path on one line, whatever its keys hold."""
    return ".".join(part if part.isprintable() else repr(part) for part in path)


def _tag_name(node: yaml.Node) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _reason(error: Exception) -> str:
    text = getattr(error, "problem", None) or str(error)
    return " ".join(str(text).split())
