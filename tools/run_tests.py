"""Build the sentiment model into the store, run every test against it, list what was skipped and why.

The build comes first, alone on the machine, because it measures; the tests share its result.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "model_store"


def step(name: str, command: list[str], env: dict[str, str]) -> int:
    """Run one step, say how long it took, return its exit code."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    print(
        f"== {name}: {'ok' if code == 0 else f'exit code {code}'} after {time.monotonic() - started:.0f} s", flush=True
    )
    return code


def main(arguments: list[str]) -> int:
    """Every step in order; the first failure's exit code."""
    env = os.environ | {"MARLINE_TEST_STORE": str(STORE), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    steps = [
        ("build sentiment", [sys.executable, "build.py", "build", "sentiment", "--strict", "--store", str(STORE)]),
        ("tests", [sys.executable, "-m", "pytest", "-q", *arguments]),
    ]
    for name, command in steps:
        if code := step(name, command, env):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
