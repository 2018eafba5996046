"""Whose CPU seconds count: the process, what is below it, and what is left of its session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from marline.bench.usage import cpu_seconds, tree

SECONDS = 0.3
# the kernel counts whole ticks of user and of system time
COUNTED = SECONDS - 3 / os.sysconf("SC_CLK_TCK")
BURN = f"""
import time
def burn():
    while time.process_time() < {SECONDS}: pass
"""
CHILD = f"{BURN}\nimport sys\nburn()\nprint('done', flush=True)\nsys.stdin.read()"


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.communicate(timeout=60)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_counts() -> None:
    with running(CHILD) as busy:
        assert line(busy) == "done"
        assert cpu_seconds(busy.pid) >= COUNTED


def test_two_trees_add_up() -> None:
    with running(CHILD) as one, running(CHILD) as other:
        assert (line(one), line(other)) == ("done", "done")
        assert cpu_seconds(one.pid, other.pid) >= 2 * COUNTED


def test_a_child_that_runs_counts() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    with running(code, CHILD) as top:
        assert line(top) == "done"
        assert len(tree(top.pid)) == 2
        assert cpu_seconds(top.pid) >= COUNTED


def test_a_child_that_ended_still_counts() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]]); print('ended', flush=True); sys.stdin.read()"
    with running(code, f"{BURN}\nburn()") as top:
        assert line(top) == "ended"
        assert len(tree(top.pid)) == 1
        assert cpu_seconds(top.pid) >= COUNTED


def test_a_daemon_of_the_session_counts_though_its_parent_is_gone() -> None:
    middle = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    top = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], sys.argv[2]]); sys.stdin.read()"
    with running(top, middle, CHILD) as leader:
        assert line(leader) == "done"
        assert len(tree(leader.pid)) == 2
        assert cpu_seconds(leader.pid) >= COUNTED


def test_a_process_that_is_gone_used_nothing() -> None:
    with running("") as ended:
        pass
    assert tree(ended.pid) == []
    assert cpu_seconds(ended.pid) == 0
