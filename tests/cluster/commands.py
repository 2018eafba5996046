"""Run a command and get its output, or one error that names it and what it said."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from cluster.errors import ClusterError, CommandError

# A user's PATH may lack the system folders, which root's tools (ip, iptables) live in.
SYSTEM_PATH = os.pathsep.join(
    dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/sbin", "/usr/sbin", "/sbin", "/bin"])
)


def which(command: str) -> str | None:
    """The path of a command, system folders included; None when there is none."""
    return shutil.which(command, path=SYSTEM_PATH)


def run(
    command: Sequence[str | Path],
    *,
    text: str | None = None,
    stdin: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 300,
) -> str:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        text: its standard input.
        stdin: a file as its standard input, instead of ``text``.
        env: its whole environment; this process's, with the system folders in PATH, when not given.
        check: raise on a non-zero exit status.
        timeout: seconds until it is killed.

    Returns:
        Its standard output; with ``check=False`` what it wrote to standard error follows.

    Raises:
        CommandError: it failed.
        ClusterError: it did not end in time, or cannot be started.
    """
    shown = " ".join(str(word) for word in command)
    shown = shown if len(shown) < 300 else f"{shown[:300]}…"
    try:
        done = subprocess.run(
            [str(word) for word in command],
            input=None if text is None else text.encode(),
            stdin=stdin if text is None else None,
            env=dict(env) if env is not None else os.environ | {"PATH": SYSTEM_PATH},
            capture_output=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"`{shown}` did not end within {timeout:g} s") from None
    except OSError as error:
        raise ClusterError(f"`{shown}` cannot be started: {error.strerror}") from None
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if check and done.returncode != 0:
        said = (err.strip() or out.strip() or "nothing")[-2000:]
        raise CommandError(f"`{shown}` failed with exit code {done.returncode}: {said}", out + err)
    return out if check else out + err
