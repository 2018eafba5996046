"""Worker i runs on CPU i, and all of them are loaded before a peer says so.

Frameworks do not all tell a worker its number, so each worker takes the first slot nobody holds: a lock on a
file that its process keeps until it ends.  The parent makes the folder and every worker inherits its name.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

FOLDER = "MARLINE_PEER_SLOTS"
_HELD: list[int] = []  # a lock lives as long as its descriptor


def make() -> Path:
    """A new folder for slots, named in this process's environment; called once by the parent."""
    folder = Path(tempfile.mkdtemp(prefix="peer-"))
    os.environ[FOLDER] = str(folder)
    return folder


def take(processes: int) -> int:
    """Take a free slot and pin this process to its CPU; returns the slot's number.

    Raises:
        RuntimeError: when every slot is held.
    """
    folder = Path(os.environ[FOLDER])
    for number in range(processes):
        descriptor = os.open(folder / f"slot-{number}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _HELD.append(descriptor)
        pin(number)
        return number
    raise RuntimeError(f"all {processes} slots are held; a worker more than MARLINE_PEER_PROCESSES was started")


def pin(number: int) -> None:
    """Every thread of this process to the ``number``-th CPU it may use; counts round where there are fewer.

    Libraries have started threads by now, and a call for the process would pin only the one that calls.
    """
    allowed = sorted(os.sched_getaffinity(0))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {allowed[number % len(allowed)]})


def loaded(number: int) -> None:
    """This worker's model answers."""
    (Path(os.environ[FOLDER]) / f"loaded-{number}").touch()


def all_loaded(processes: int) -> bool:
    """Do all workers answer?"""
    return len(list(Path(os.environ[FOLDER]).glob("loaded-*"))) >= processes
