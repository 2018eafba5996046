"""The reference of all spec keys, as Markdown, read from the types that validate them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from marline.spec.allowed import Schema
from marline.spec.model import GateOverrides, InferenceOverrides, ModelSpec

ELSEWHERE = {
    GateOverrides: "limits as in [the table of limits](02-build-and-gate.md#limits), and `reason`",
    InferenceOverrides: "keys of `inference_parameters`",
}


def spec_keys() -> str:
    """One table per mapping of a spec, the top level first."""
    tables: dict[type[BaseModel], list[str]] = {}
    for path, kind in _mappings("", ModelSpec):
        tables.setdefault(kind, []).append(path)
    return "\n\n".join(_table(kind, paths) for kind, paths in tables.items())


def _mappings(path: str, kind: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, kind
    for name, field in kind.model_fields.items():
        for inner, suffix in _inside(field.annotation, ""):
            if inner not in ELSEWHERE:
                yield from _mappings(f"{path}.{name}{suffix}".lstrip("."), inner)


def _inside(annotation: Any, suffix: str) -> Iterator[tuple[type[BaseModel], str]]:
    """The models that an annotation holds, and how a key inside of one is written."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
        return
    origin = getattr(annotation, "__origin__", None)
    suffix += {list: "[]", dict: ".<name>"}.get(origin, "")
    for argument in get_args(annotation):
        yield from _inside(argument, suffix)


def _table(kind: type[BaseModel], paths: list[str]) -> str:
    schema = Schema(kind)
    tag = kind.model_fields["kind"].annotation if "kind" in kind.model_fields else None
    where = " and ".join(f"`{path}`" for path in dict.fromkeys(paths)) if paths != [""] else "Top level"
    if tag is not None:
        where += f" with `kind: {get_args(tag)[0]}`"
    rows = "\n".join(_row(name, field, schema) for name, field in kind.model_fields.items())
    about = (kind.__doc__ or "").strip().split("\n")[0]
    return f"### {where}\n\n{about}\n\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(name: str, field: FieldInfo, schema: Schema) -> str:
    inner = [kind for kind, _ in _inside(field.annotation, "")]
    allowed = next((ELSEWHERE[k] for k in inner if k in ELSEWHERE), None) or _allowed(schema.allowed((name,), {}))
    return f"| `{name}` | {allowed} | {_default(field)} | {_cell(field.description or '')} |"


def _allowed(phrase: str) -> str:
    phrase = phrase.replace("text (in quotes where it looks like a number)", "text")
    before, matching, pattern = phrase.partition("matching ")
    if matching:
        pattern, _, rest = pattern.partition(" ")
        return f"{_cell(before)}matching `{_cell(pattern)}` {_cell(rest)}".strip()
    if phrase.startswith("a mapping with the keys"):
        return "a mapping"
    return _cell(phrase)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, BaseModel):
        return "the defaults below" if type(value) not in ELSEWHERE else "none"
    return f"`{json.dumps(value)}`" if value != "" else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
