"""The peers' folders, and their modules by path: their names (lock, running, shared) are too plain to be imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

PEERS = Path(__file__).resolve().parents[3] / "benchmarks" / "peers"
NAMES = ("bentoml", "fastapi", "litserve", "mlserver", "ray_serve")


def module(relative: str) -> ModuleType:
    """A fresh copy of one file of the peers' folder."""
    path = PEERS / relative
    spec = importlib.util.spec_from_file_location(f"peers_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def described(name: str) -> dict[str, Any]:
    return yaml.safe_load((PEERS / name / "peer.yaml").read_text(encoding="utf-8"))
