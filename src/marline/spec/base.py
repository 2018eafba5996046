"""What all models of YAML files share: strictness, partial overrides, and rules that span keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, model_serializer


class Strict(BaseModel):
    """Unknown keys refused, nothing converted but whole numbers to floats, finite numbers only, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class Overrides(BaseModel):
    """Mixin for a model of which a file writes only some keys; the others stay as they are elsewhere.

    Only :attr:`written` counts: the defaults of the class mixed with are never read, nor serialized.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    @property
    def written(self) -> dict[str, Any]:
        """The keys the file wrote, and their values."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    @model_serializer(mode="wrap")
    def _only_written(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}


Problem = tuple[tuple[str, ...], str]
"""Path of a key relative to the validated model, and a sentence about it."""


class BrokenRules(ValueError):
    """Rules that span keys, raised by a model's validator: every broken one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{'.'.join(path)}: {sentence}" for path, sentence in problems))
        self.problems = problems
