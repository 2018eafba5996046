"""A server that waits for its turn stands still, with everything below it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from marline.bench.contenders import Up, pause, resume
from marline.bench.usage import tree

CODE = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); import sys; sys.stdin.read()'])"


def stopped(pid: int, count: int) -> bool:
    """Whether so many processes of the tree come to stand still in time."""
    deadline = time.monotonic() + 60
    while sum(p.status() == psutil.STATUS_STOPPED for p in tree(pid)) != count:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_the_whole_tree_is_stopped_and_goes_on() -> None:
    process = subprocess.Popen([sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        up = Up("http://x", (process.pid,))
        pause(up)
        assert stopped(process.pid, 2)
        resume(up)
        assert stopped(process.pid, 0)
    finally:
        process.send_signal(18)
        process.communicate(timeout=60)
    assert process.returncode == 0
    pause(up)  # nothing is left to be stopped
