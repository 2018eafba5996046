"""What each process says of itself, in files that every process reads.

A process says that it is ready, or why it failed, in a file that it holds locked.  The kernel releases the
lock when the process ends, however it ends, so what a dead process said is not believed.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class State:
    """One process.

    Attributes:
        failed: why it does not serve; empty when it is ready.
        archive: number of the archive that failed.
    """

    failed: str = ""
    archive: int = 0


def say(directory: Path, index: int, state: State) -> IO[bytes]:
    """Say the state of process ``index``, whole or not at all; it holds while the file returned is open."""
    partial = directory / f".state{index}-{os.getpid()}"
    file = partial.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(json.dumps(asdict(state)).encode())
    file.flush()
    partial.replace(_path(directory, index))
    return file


def read(directory: Path, index: int) -> State | None:
    """What process ``index`` says; None while it loads, or when the process that said it is gone."""
    try:
        with _path(directory, index).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return State(**json.load(file))
    except FileNotFoundError:
        pass  # it has not said anything yet
    return None


def forget(directory: Path, index: int) -> bool:
    """Remove what a dead process said; whether it had said anything."""
    try:
        _path(directory, index).unlink()
    except FileNotFoundError:
        return False
    return True


def ready(directory: Path, processes: int) -> int:
    """How many processes are ready."""
    states = [read(directory, index) for index in range(processes)]
    return sum(state is not None and not state.failed for state in states)


def missing(directory: Path, processes: int) -> str:
    """Why not every process is ready, as a phrase; empty when all are."""
    states = [read(directory, index) for index in range(processes)]
    if failed := next((s for s in states if s is not None and s.failed), None):
        return failed.failed
    there = sum(state is not None for state in states)
    return "" if there == processes else f"{there} of {processes} processes are ready"


def _path(directory: Path, index: int) -> Path:
    return directory / f"state{index}.json"
