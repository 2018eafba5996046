"""The server's process group: the frontend and every worker it started, none of which may outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil

POLL_SECONDS = 0.02
# a process that waits for a disk may take a while to die, and nothing can hurry it
KILL_SECONDS = 10.0


def members(group: int) -> list[int]:
    """Process ids in a group, those apart that are dead and only not yet collected."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(int(process.pid))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def exited(leader: subprocess.Popen[bytes]) -> bool:
    """Whether the leader has ended.

    Its exit status is left uncollected: until :func:`end` has killed the group, no stranger can be given its id.
    """
    if leader.returncode is not None:
        return True
    return os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end(leader: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """SIGTERM to the leader; when it has ended, or the grace is over, SIGKILL to what is left of its group.

    Args:
        leader: a process started with ``start_new_session=True``.
        grace_seconds: how long the leader may take.
    """
    if leader.returncode is not None:
        return
    group = leader.pid
    try:
        if not exited(leader):
            os.kill(leader.pid, signal.SIGTERM)
            deadline = time.monotonic() + grace_seconds
            while not exited(leader) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
    finally:  # a second Ctrl-C only ends the grace
        # the leader is not collected yet, so the group's id is still its own
        os.killpg(group, signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        while any(pid != group for pid in members(group)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        leader.wait()
