"""Other servers: folders that say how each is started and asked (``benchmarks/peers``)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from handlerkit.machine import cpu_class
from marline.bench.contenders import Contender, Up
from marline.errors import BenchError
from marline.serve.torchserve.ports import LOCAL, free_ports

RUN = "run_peer.py"
STOP_S = 60.0


def names(folder: Path) -> list[str]:
    """Peers of a folder, by name."""
    return sorted(path.parent.name for path in folder.glob("*/peer.yaml"))


def peer(folder: Path, name: str, archive: Path) -> Contender:
    """A peer as its ``peer.yaml`` says.

    Args:
        folder: holds the peers and ``run_peer.py``, which starts one.
        name: of the peer.
        archive: directory of the unpacked archive.

    Raises:
        BenchError: when there is no such peer.
    """
    path = folder / name / "peer.yaml"
    if not path.is_file():
        raise BenchError(f"{name}: is no peer of {folder} (allowed: {', '.join(names(folder)) or 'none'})")
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    predict = document["predict"]
    tuned = _tuned(folder / name / "tuning.json")
    return Contender(
        name, document["title"], _starter(folder, name, archive), predict["path"], predict["body"], predict["label"],
        versions=_versions(folder / name / "requirements.lock", document["packages"]),
        notes=tuple(note for note in (document.get("batching"), tuned, document.get("explained")) if note),
    )  # fmt: skip


def _starter(folder: Path, name: str, archive: Path) -> Callable[[], Any]:
    @contextmanager
    def start() -> Iterator[Up]:
        port = free_ports(1)[0]
        command = [sys.executable, str(folder / RUN), name, str(archive), str(port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("{"):
                raise BenchError(line.strip() or f"{name}: run_peer.py said nothing; run it by hand: {' '.join(command)}")
            yield Up(f"http://{LOCAL}:{port}", (int(json.loads(line)["pid"]),))
        finally:
            try:
                process.communicate(timeout=STOP_S)  # its input closes, and it ends the peer
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(STOP_S)

    return start


def _tuned(path: Path) -> str:
    if not path.is_file():
        return ""
    classes: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["classes"]
    found = classes.get(cpu_class())
    if found is None:
        return f"tuned on {', '.join(sorted(classes))} only"
    best = found["best"]
    options = "".join(f", {key} {value}" for key, value in best["options"].items())
    how = f"tuned over {len(found['grid'])} points" if found.get("grid") else "not tuned, set by its documentation"
    return f"{how}: batch limit {best['batch']}, wait {best['wait_ms']:g} ms{options}"


def _versions(lock: Path, packages: list[str]) -> dict[str, str]:
    """From the lock: the peer's environment is not this one."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, separator, rest = line.partition("==")
        if separator and (plain := name.split("[")[0].strip()) in packages:
            found[plain] = rest.split()[0]
    return found
