"""Write ``<peer>/requirements.lock`` from ``requirements.in``: pinned, with hashes, without any index URL.

``python benchmarks/peers/lock.py [NAME ...]``; all peers where none is named.  Runs in the project's environment,
which has uv.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OPTIONS = (
    "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links",
    "--only-binary", ":all:", "--python-version", "3.11", "--quiet", "--upgrade",
)  # fmt: skip


def write(folder: Path) -> int:
    """Resolve one peer's requirements and write its lock; returns uv's exit code."""
    target = folder / "requirements.lock"
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        str(folder / "requirements.in"),
        *OPTIONS,
        "-o",
        str(target),
    ]
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        text = target.read_text(encoding="utf-8")
        target.write_text(
            "# requirements.in: written by benchmarks/peers/lock.py, do not edit\n" + text, encoding="utf-8"
        )
    return code


def main(names: list[str]) -> int:
    """Every lock that is named, or all; returns the first exit code that is not 0."""
    folders = [HERE / name for name in names] or sorted(path.parent for path in HERE.glob("*/requirements.in"))
    for folder in folders:
        if code := write(folder):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
