"""Make or update a virtual environment from the locks; does nothing when it is already right.

``setup_venv.py .venv dev`` makes the one to build, serve and test with (torch included),
``setup_venv.py .venv-serve serve`` the one that serves ONNX archives (no torch).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WITH_TORCH = ("dev",)
# the other locks are for images and for tools with environments of their own
KNOWN = ("dev", "serve")


def digest(lock: Path) -> str:
    """What the environment depends on: the locks, pyproject, this file, and the Python that runs it."""
    parts = [lock, ROOT / "requirements" / "torch.txt", ROOT / "pyproject.toml", Path(__file__)]
    text = b"".join(p.read_bytes() for p in parts) + sys.version.encode() + str(ROOT).encode()
    return hashlib.sha256(text).hexdigest()


def main(target: str, extras: str) -> int:
    """Create ``target`` and install; returns the exit code of the first pip that failed, else 0."""
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:2]))
        print(
            f"setup: Python {found} was found; the locks are for Python 3.11: run `make PYTHON=python3.11 ...`",
            file=sys.stderr,
        )
        return 1
    if extras not in KNOWN:
        print(f"setup: there is no environment {extras!r} (allowed: {', '.join(KNOWN)})", file=sys.stderr)
        return 1
    directory, lock = (ROOT / target).absolute(), ROOT / "requirements" / f"{extras}.lock"
    stamp, wanted = directory / ".marline-stamp", digest(lock)
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    print(f"setup: {target} from {lock.relative_to(ROOT)}{' and torch' if extras in WITH_TORCH else ''}", flush=True)
    stamp.unlink(missing_ok=True)
    venv.create(directory, with_pip=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = [["--require-hashes", "-r", str(lock)], ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]]
    if extras in WITH_TORCH:
        steps.insert(0, ["-r", str(ROOT / "requirements" / "torch.txt")])
    for step in steps:
        if code := subprocess.run([*pip, *step], check=False).returncode:
            print(
                f"setup: `pip install {' '.join(step)}` failed, see above; {target} is incomplete, run it again",
                file=sys.stderr,
            )
            return code
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
