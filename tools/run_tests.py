"""Build the sentiment model into the store, run every test against it, list what was skipped and why.

The build comes first, alone on the machine, because it measures; the tests share its result. Then the tests that
need no cluster run beside the Go builds of the cluster's programs, which nothing needs until the last step.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
STORE = ROOT / "model_store"
# these need programs that are built from Go modules, or the cluster itself
ON_CLUSTER = ("chart", "graders", "cluster", "pods")
NO_TESTS = 5  # pytest's exit code
PROGRAMS = ("hyperkube", "helm-unittest", "kube-score", "conftest")


def step(name: str, command: list[str], env: dict[str, str]) -> int:
    """Run one step, say how long it took, return its exit code."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    print(
        f"== {name}: {'ok' if code == 0 else f'exit code {code}'} after {time.monotonic() - started:.0f} s", flush=True
    )
    return code


@contextmanager
def programs(env: dict[str, str]) -> Iterator[None]:
    """The cluster's programs are built meanwhile; whoever needs one that could not be built says so by himself."""
    if env.get("CLUSTER") == "0":
        yield
        return
    command = ["nice", "-n", "10", sys.executable, "-m", "cluster", "build", *PROGRAMS]
    building = subprocess.Popen(command, cwd=TESTS, env=env)
    try:
        yield
    finally:
        building.wait()


def main(arguments: list[str]) -> int:
    """Every step in order; the exit code of the first that failed, of the tests when all of them ran."""
    env = os.environ | {"MARLINE_TEST_STORE": str(STORE), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    build = [sys.executable, "build.py", "build", "sentiment", "--strict", "--store", str(STORE)]
    if code := step("build sentiment", build, env):
        return code
    pytest = [sys.executable, "-m", "pytest", "-q", *arguments]
    here = [f"--ignore={TESTS / name}" for name in ON_CLUSTER]
    with programs(env):
        first = step("tests without a cluster", [*pytest, *here, str(TESTS)], env)
    second = step("tests of chart and cluster", [*pytest, *(str(TESTS / name) for name in ON_CLUSTER)], env)
    # a selection may leave nothing for one of the two
    empty = (0, NO_TESTS) if arguments and first != second else (0,)
    return next((code for code in (first, second) if code not in empty), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
