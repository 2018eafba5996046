"""Where a peer listens, what it serves, and how it is tuned."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlerkit.machine import cpu_class


@dataclass(frozen=True)
class Settings:
    """What the driver says through the environment, and what ``tune_peer.py`` found.

    Attributes:
        batch: most texts computed together (1: no batching).
        wait_ms: how long the first text of a batch may wait for others; 0 means the least the framework can say.
        options: switches of this one framework, by name.
    """

    host: str
    port: int
    archive: Path
    processes: int
    batch: int
    wait_ms: float
    options: dict[str, str]


def read(folder: Path) -> Settings:
    """The settings of the peer in ``folder``.

    ``MARLINE_PEER_TUNING`` (JSON with batch, wait_ms and options) goes before the best of ``tuning.json`` for
    this CPU class; a class nobody tuned on takes what another class found, and says so.

    Raises:
        SystemExit: when the environment lacks a variable or there is no tuning at all, in one sentence.
    """
    missing = [name for name in ("MARLINE_PEER_PORT", "MARLINE_ARCHIVE") if not os.environ.get(name)]
    if missing:
        raise SystemExit(f"{folder.name}: {missing[0]} is not set; start it through `make bench` or tune_peer.py")
    best = _tuning(folder)
    return Settings(
        host=os.environ.get("MARLINE_PEER_HOST", "127.0.0.1"),
        port=int(os.environ["MARLINE_PEER_PORT"]),
        archive=Path(os.environ["MARLINE_ARCHIVE"]),
        processes=int(os.environ.get("MARLINE_PEER_PROCESSES", "2")),
        batch=int(best["batch"]),
        wait_ms=float(best["wait_ms"]),
        options={str(name): str(value) for name, value in best.get("options", {}).items()},
    )


def _tuning(folder: Path) -> dict[str, Any]:
    if given := os.environ.get("MARLINE_PEER_TUNING"):
        return dict(json.loads(given))
    path = folder / "tuning.json"
    if not path.is_file():
        raise SystemExit(
            f"{folder.name}: {path.name} is missing; run `python benchmarks/peers/tune_peer.py {folder.name}`"
        )
    classes = json.loads(path.read_text(encoding="utf-8"))["classes"]
    own = cpu_class()
    if own not in classes:
        other = sorted(classes)[0]
        print(f"{folder.name}: tuned on {other}, not on {own}; its tuning may not be the best here", file=sys.stderr)
        own = other
    if "grid" not in classes[own]:
        print(
            f"{folder.name}: not tuned yet; run `python benchmarks/peers/tune_peer.py {folder.name}`", file=sys.stderr
        )
    return dict(classes[own]["best"])
