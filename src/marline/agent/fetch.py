"""An archive from a URL: resumed after a cut, named only when its digest is right."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from marline.agent.remote import NotFromThere, Passing, Remote
from marline.artifact.atomic import sync
from marline.artifact.mar import digest
from marline.errors import ServeError

LONGEST_PAUSE_S = 15.0


@dataclass(frozen=True)
class Limits:
    """How long to go on.

    Attributes:
        attempts: failed ones in a row that brought no new byte.
        seconds: for everything.
        pause_s: before the second attempt; it doubles with each further one.
    """

    attempts: int = 8
    seconds: float = 1800.0
    pause_s: float = 0.5


def fetch(
    url: str, sha256: str, target: Path, limits: Limits | None = None, say: Callable[[str], None] = lambda line: None
) -> str:
    """Download a file unless it is there; what arrived stays beside it until it is whole.

    Args:
        url: http, https, s3, gs or az.
        sha256: of the file, in hex.
        target: where it is to lie; its folder exists.
        limits: how long to go on.
        say: told about each attempt that failed.

    Returns:
        A sentence that says what was done.

    Raises:
        ServeError: nothing lies at ``target`` that was not there before.
    """
    remote, started = Remote(url), time.monotonic()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ServeError(f"--sha256 {sha256[:80]!r} is no sha256; write the 64 lower-case hex digits of the release")
    if not target.name:
        raise ServeError(f"--to {str(target)!r} names no file; write the path that the archive should have")
    with _naming(target):
        if target.exists() and digest(target) == sha256:
            return f"{target}: has sha256 {sha256} already, nothing was downloaded"
        with _Partial.opened(target.with_name(f".{sha256}.partial")) as partial:
            kept = partial.size
            _Download(remote, sha256, partial, limits or Limits(), say).run()
            partial.publish(target)
    seconds = time.monotonic() - started
    return f"{target}: {partial.size} bytes from {remote.shown} in {seconds:.1f} s ({kept} of them kept from before)"


class _Partial:
    """The bytes that have arrived, and their digest."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self.size, self._hash = 0, hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                self._count(block)

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[_Partial]:
        """One process at a time; the file stays when the block ends with an error."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if not _locked(descriptor, path):
                raise ServeError(f"{path}: another process downloads to it; wait for it to end")
            yield cls(path, descriptor)
        finally:
            os.close(descriptor)

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._hash.hexdigest()

    def append(self, block: bytes) -> None:
        """Add bytes at the end."""
        left = memoryview(block)
        while left:
            written = os.write(self._descriptor, left)
            self._count(left[:written])
            left = left[written:]

    def clear(self) -> None:
        """Begin at the beginning."""
        os.ftruncate(self._descriptor, 0)
        self.size, self._hash = 0, hashlib.sha256()

    def remove(self) -> None:
        """Leave nothing."""
        self.path.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Give it its name, on disk also after a power cut."""
        sync(self.path)
        self.path.replace(target)
        sync(target.parent)

    def _count(self, block: bytes | memoryview) -> None:
        self._hash.update(block)
        self.size += len(block)


class _Download:
    """Attempts until the digest is right, or none is left."""

    def __init__(
        self, remote: Remote, sha256: str, partial: _Partial, limits: Limits, say: Callable[[str], None]
    ) -> None:
        self.remote, self.sha256, self.partial, self.limits, self.say = remote, sha256, partial, limits, say
        self._end = time.monotonic() + limits.seconds
        self._failed = 0
        self._furthest = partial.size
        # whether the bytes come from more than one answer, so that the source may have changed between them
        self._mixed = partial.size > 0
        self._again = True

    def run(self) -> None:
        """Fill the partial file.

        Raises:
            ServeError: what the source refuses, a wrong digest, or too many failures.
        """
        while self.partial.sha256 != self.sha256:
            try:
                self._read()
            except NotFromThere:
                self.partial.clear()
                self._mixed = False
            except Passing as error:
                self._mixed = self.partial.size > 0
                self._pause(str(error))
            else:
                self._judge()

    def _read(self) -> None:
        size, blocks = self.remote.read(self.partial.size, max(1.0, self._end - time.monotonic()))
        self._require_room(size - self.partial.size)
        for block in blocks:
            self.partial.append(block)

    def _judge(self) -> None:
        """Everything has arrived: it is right, or worth one other beginning, or wrong."""
        if self.partial.sha256 == self.sha256:
            return
        if self._mixed and self._again:
            self.say(f"{self.remote.shown}: what was kept does not fit what came; starting again")
            self.partial.clear()
            self._mixed = self._again = False
            self._furthest = 0
            return
        self.partial.remove()
        raise ServeError(
            f"{self.remote.shown}: has sha256 {self.partial.sha256} ({self.partial.size} bytes), the release says "
            f"{self.sha256}; put the archive there that was released, or release this one with `marline release`"
        )

    def _pause(self, reason: str) -> None:
        """Wait before the next attempt, ever longer."""
        if self.partial.size > self._furthest:
            self._furthest, self._failed = self.partial.size, 0
        self._failed += 1
        pause = min(LONGEST_PAUSE_S, self.limits.pause_s * 2 ** (self._failed - 1)) * random.uniform(0.5, 1.0)
        if self._failed >= self.limits.attempts or time.monotonic() + pause > self._end:
            raise ServeError(
                f"{self.remote.shown}: did not arrive (attempt {self._failed} of {self.limits.attempts} without "
                f"progress, {self.limits.seconds:.0f} s in all at most): {reason}; see that it can be reached from "
                f"here, {self.partial.size} bytes are kept for the next start"
            )
        self.say(f"{self.remote.shown}: {reason}; next attempt in {pause:.1f} s, from byte {self.partial.size}")
        time.sleep(pause)

    def _require_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.partial.path.parent).free
        if needed > free:
            raise ServeError(
                f"{self.partial.path.parent}: has {free} bytes free, {needed} more are needed for {self.remote.shown}; "
                "give the volume more room"
            )


def _locked(descriptor: int, path: Path) -> bool:
    """Lock a file, unless another process has it, or has just given it its final name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Turn errors of the file system into a sentence about the folder."""
    try:
        yield
    except OSError as error:
        raise ServeError(
            f"{target}: cannot be written ({error.strerror or error}); mount a writable folder with room for it "
            f"at {target.parent}"
        ) from error
