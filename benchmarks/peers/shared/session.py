"""Everything a peer started: the processes of its session, whatever group they have put themselves into."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def members(session: int) -> list[int]:
    """The live processes of a session, its leader left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == session:
            continue
        try:
            # the name in parentheses may hold spaces; after it: state, parent, group, session
            state, _, _, own = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it ended meanwhile
        if int(own) == session and state != "Z":
            found.append(int(entry.name))
    return found


def end(session: int, patience: float = 5.0) -> None:
    """SIGTERM to every member, SIGKILL to those that are left after ``patience`` seconds."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in members(session):
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue  # it ended meanwhile
        limit = time.monotonic() + patience
        while members(session) and time.monotonic() < limit:
            time.sleep(0.05)
