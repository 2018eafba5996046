"""JSON Schemas for editors, generated from the types into ``config/schemas``."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from marline.spec.compat import Compat
from marline.spec.model import ModelSpec
from marline.spec.release import ReleaseSpec

SCHEMAS_DIR = Path("config/schemas")


def schemas() -> dict[str, str]:
    """File name to the text it must have."""
    kinds: dict[str, type[BaseModel]] = {
        "model-spec.schema.json": ModelSpec,
        "compat.schema.json": Compat,
        "release.schema.json": ReleaseSpec,
    }
    return {name: json.dumps(kind.model_json_schema(), indent=2, sort_keys=True) + "\n" for name, kind in kinds.items()}


def stale(directory: Path = SCHEMAS_DIR) -> list[str]:
    """Names of schema files that are missing or differ from the types."""
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.schema.json")}
    return [name for name, text in schemas().items() if found.get(name) != text]


def write(directory: Path = SCHEMAS_DIR) -> list[Path]:
    """Write every schema; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in schemas()]
