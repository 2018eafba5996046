"""Make a peer's own environment from its lock, once, and print its bin folder.

``python benchmarks/peers/environment.py NAME``.  Environments lie in ``MARLINE_CACHE`` (else ``~/.cache/marline``)
under ``peers/<name>-<digest>``; the digest is of the lock and of the Python that runs, so a changed lock is another
environment.  Only the standard library is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
INSTALL_S = 1800
STAMP = ".marline-complete"


class PeerError(Exception):
    """An environment that cannot be made, in one sentence."""


def names() -> list[str]:
    """Every peer that has a folder with ``peer.yaml``."""
    return sorted(path.parent.name for path in HERE.glob("*/peer.yaml"))


def folder(name: str) -> Path:
    """Where the peer's environment lies, made or not.

    Raises:
        PeerError: for a name that is no peer, a peer without a lock, or another Python than 3.11.
    """
    if name not in names():
        raise PeerError(f"there is no peer {name!r} (allowed: {', '.join(names())}); choose one of them")
    lock = HERE / name / "requirements.lock"
    if not lock.is_file():
        raise PeerError(f"peer {name}: requirements.lock is missing; run `python benchmarks/peers/lock.py {name}`")
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:2]))
        raise PeerError(f"peer {name}: its lock is for Python 3.11 and this is {found}; run it with python3.11")
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    root = Path(os.environ.get("MARLINE_CACHE") or Path.home() / ".cache" / "marline")
    return root / "peers" / f"{name}-{digest}"


def make(name: str) -> Path:
    """The environment's bin folder; made if it is missing, by one process at a time.

    An environment cannot be moved once it is made, so it is made in its place: what a broken attempt left is
    removed, and only a complete one has the stamp without which nobody uses it.

    Raises:
        PeerError: when pip cannot install the lock, or the folder cannot be written.
    """
    target = folder(name)
    if (target / STAMP).is_file():
        return target / "bin"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{target.name}.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not (target / STAMP).is_file():
                _install(name, target)
    except OSError as error:
        raise PeerError(
            f"peer {name}: {target} cannot be made ({error.strerror}); set MARLINE_CACHE to a writable folder"
        ) from error
    return target / "bin"


def _install(name: str, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    try:
        venv.create(target, with_pip=True)
        lock = HERE / name / "requirements.lock"
        pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
        except subprocess.TimeoutExpired as error:
            raise PeerError(
                f"peer {name}: pip did not end in {INSTALL_S} s; check the network, or leave this peer out"
            ) from error
        if result.returncode:
            lines = [line.strip() for line in result.stderr.splitlines() if line.strip()] or ["no message"]
            raise PeerError(
                f"peer {name}: pip cannot install requirements.lock: {lines[-1]}; check the network, or leave this peer out"
            )
        (target / STAMP).write_text("complete\n")
    finally:
        if not (target / STAMP).is_file():
            shutil.rmtree(target, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Print the bin folder of the named peer's environment; returns the exit code."""
    try:
        if len(arguments) != 1:
            raise PeerError(
                f"{len(arguments)} peers are named where one is expected (allowed: {', '.join(names())}); name one"
            )
        print(make(arguments[0]))
    except PeerError as error:
        print(f"environment: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
