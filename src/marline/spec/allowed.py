"""What is allowed at a key, read from the same JSON Schema that editors complete from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_TYPES = {
    "boolean": "true or false",
    "null": "nothing",
    "object": "a mapping of keys to values",
    "array": "a list",
}
_COMPARISONS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
}


class Schema:
    """The JSON Schema of a model, walked beside the data of a file."""

    def __init__(self, kind: type[BaseModel]) -> None:
        self._root = kind.model_json_schema()

    def keys(self, path: tuple[str, ...], data: Any) -> list[str]:
        """The keys that a mapping at ``path`` may have."""
        return sorted(self._at(path, data).get("properties", {}))

    def allowed_keys(self, path: tuple[str, ...], data: Any) -> str:
        """The keys of a mapping with free keys at ``path``, as a phrase."""
        return _describe(self._at(path, data).get("propertyNames", {"type": "string"}))

    def allowed(self, path: tuple[str, ...], data: Any) -> str:
        """What may stand at ``path``, as a phrase."""
        return _describe(self._at(path, data))

    def example(self, path: tuple[str, ...]) -> Any:
        """An example of a value at ``path``, None where the schema has none."""
        return self._at(path, {}).get("examples", [None])[0]

    @staticmethod
    def value(path: tuple[str, ...], data: Any) -> Any:
        """The value at ``path``, None where there is none."""
        for part in path:
            if isinstance(data, dict):
                data = data.get(part)
            elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
                data = data[int(part)]
            else:
                return None
        return data

    def _at(self, path: tuple[str, ...], data: Any) -> dict[str, Any]:
        schema = self._chosen(self._root, data)
        for part in path:
            data = self.value((part,), data)
            inner = schema.get("properties", {}).get(part) or schema.get("items") or schema.get("additionalProperties")
            schema = self._chosen(inner if isinstance(inner, dict) else {}, data)
        return schema

    def _chosen(self, schema: dict[str, Any], data: Any) -> dict[str, Any]:
        """References followed, and of a union the member that the data means to be."""
        if "$ref" in schema:
            own = {key: value for key, value in schema.items() if key != "$ref"}
            return self._chosen({**self._root["$defs"][schema["$ref"].rsplit("/", 1)[1]], **own}, data)
        members = [self._chosen(m, data) for m in schema.get("anyOf", schema.get("oneOf", []))]
        members = [m for m in members if m.get("type") != "null"]
        if not members:
            return schema
        tag = data.get("kind") if isinstance(data, dict) else None
        tagged = [m for m in members if "kind" in m.get("properties", {})]
        if tagged:
            kinds = [m["properties"]["kind"]["const"] for m in tagged]
            if tag in kinds:
                return tagged[kinds.index(tag)]
            return {"type": "object", "properties": {"kind": {"enum": kinds}}}
        wanted = "object" if isinstance(data, dict) else None
        union = members[0] if len(members) == 1 else {"anyOf": members}
        return next((m for m in members if m.get("type") == wanted), union)


def _describe(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_describe(member) for member in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        limits = [text.format(_number(schema[key])) for key, text in _COMPARISONS.items() if key in schema]
        return (
            ("a whole number " if kind == "integer" else "a number ") + " and ".join(limits)
            if limits
            else ("a whole number" if kind == "integer" else "a finite number")
        )
    if kind == "string":
        return _describe_text(schema)
    if kind == "object" and schema.get("properties"):
        return "a mapping with the keys " + ", ".join(sorted(schema["properties"]))
    if kind in ("object", "array") and (schema.get("minProperties") or schema.get("minItems")):
        return f"{_TYPES[kind]}, at least {schema.get('minProperties') or schema.get('minItems')}"
    return _TYPES.get(str(kind), "any value")


def _describe_text(schema: dict[str, Any]) -> str:
    parts = ["text (in quotes where it looks like a number)"]
    if "pattern" in schema:
        parts.append(f"matching {schema['pattern']}")
    if "examples" in schema:
        parts.append(f"such as {schema['examples'][0]}")
    if "minLength" in schema:
        parts.append(f"of at least {schema['minLength']} characters")
    return " ".join(parts)


def _number(value: float) -> str:
    """As a person would write it: 6553500, 0.5."""
    return str(int(value)) if value == int(value) else f"{value:g}"
