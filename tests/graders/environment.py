"""The graders that are Python programs, in an environment of their own: their requirements contradict the project's.

It is made once, from ``requirements/graders.lock``, and kept in the cache under the digest of that lock.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from cluster.binaries import exclusive
from cluster.settings import cache

LOCK = Path(__file__).resolve().parents[2] / "requirements" / "graders.lock"
STAMP = "complete"
INSTALL_TIMEOUT = 1800.0


class Unavailable(Exception):
    """The environment cannot be made here; the text says why."""


def digest(lock: Path = LOCK) -> str:
    """What the environment depends on: its lock and this Python, as 24 hexadecimal digits."""
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:24]


def program(name: str, lock: Path = LOCK) -> Path:
    """A grader's program; the environment is made first when the cache has none, which takes minutes.

    Raises:
        Unavailable: this Python has another version than the lock, or the installation failed.
    """
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:2]))
        raise Unavailable(f"requirements/{lock.name} is for Python 3.11 and the tests run on {found}")
    root = cache() / "graders"
    root.mkdir(parents=True, exist_ok=True)
    folder = root / digest(lock)
    # an environment knows its own path, so that it cannot be renamed into place: the stamp says it is complete
    if not (folder / STAMP).is_file():
        with exclusive(root / f"{folder.name}.lock"):
            if not (folder / STAMP).is_file():
                _make(folder, lock)
    return folder / "bin" / name


def _make(folder: Path, lock: Path) -> None:
    print(f"installing requirements/{lock.name} (once; kept in {folder})", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with tempfile.TemporaryFile("w+") as said:
        command = [*pip, "--no-cache-dir", "--require-hashes", "-r", lock]
        code = subprocess.run(
            command, stdout=said, stderr=subprocess.STDOUT, timeout=INSTALL_TIMEOUT, check=False
        ).returncode
        said.seek(0)
        if code:
            raise Unavailable(f"`pip install -r requirements/{lock.name}` failed: {said.read().strip()[-600:]}")
    (folder / STAMP).touch()
