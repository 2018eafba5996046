"""One writer at a time per model, also across processes; the kernel frees a dead process's lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marline.errors import StoreError


@contextmanager
def building(root: Path, model: str) -> Iterator[None]:
    """Held as long as a build of ``model`` is staged; refused at once where another one holds it.

    Raises:
        StoreError: naming the process that builds.
    """
    with _opened(root, f"{model}.build") as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise StoreError(
                f"{root}: {model} is being built by another process (pid {holder}); wait for it to end, "
                "or build into another store with `--store`"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield


@contextmanager
def writing(root: Path, model: str) -> Iterator[None]:
    """Held for the moment in which something published changes; waits for its turn. Not re-entrant."""
    with _opened(root, model) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(root: Path, name: str) -> Iterator[int]:
    directory = root / ".locks"
    directory.mkdir(parents=True, exist_ok=True)
    # The file stays: removing a lock file lets two processes lock two files of one name.
    descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
