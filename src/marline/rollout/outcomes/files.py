"""JSON lines of a file, or of what a command writes to its standard output."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from marline.errors import SourceError

# beyond this the ids do not fit into the memory of a small pod
MOST_LINES = 2_000_000
STDERR_CHARS = 300


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a file that are not empty.

    Raises:
        SourceError: for a file that cannot be read, or one of more than ``MOST_LINES`` lines.
    """
    try:
        with path.open("rb") as file:
            yield from _numbered(file, str(path))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); name a file of JSON lines") from error


def said(command: Sequence[str], timeout_s: float) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a command's standard output, once it has ended well.

    Args:
        command: program and arguments; no shell is between.
        timeout_s: seconds after which it is killed, with all that it started.

    Raises:
        SourceError: when it cannot be started, takes longer, or ends with another code than 0.
    """
    shown = shlex.join(command)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except (OSError, IndexError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SourceError(f"`{shown}`: cannot be started ({reason}); name a program that is there") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise SourceError(
                f"`{shown}`: has not ended after {timeout_s:g} s, and was stopped; let it write less, or give it longer"
            ) from error
        finally:
            # also what it left behind, whose output nobody would read
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code != 0:
            err.seek(0)
            words = " ".join(err.read().decode(errors="replace").split())[-STDERR_CHARS:]
            raise SourceError(f"`{shown}`: ended with {code} ({words or 'without a word'}); run it alone to see why")
        out.seek(0)
        yield from _numbered(out, f"output of `{shown}`")


def parsed(line: bytes, where: str) -> Any:
    """The JSON document of a line, or None for a last line that is still being written.

    Raises:
        SourceError: for a finished line that is no JSON.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):
            return None
        raise SourceError(f"{where}: is not JSON ({error}); write one object per line") from error


def _numbered(file: IO[bytes], where: str) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(file, 1):
        if number > MOST_LINES:
            raise SourceError(f"{where}: has more than {MOST_LINES:,} lines; give those of this rollout alone")
        if line.strip():
            yield number, line
