"""CPU seconds of a whole process tree."""

from __future__ import annotations

import os

import psutil


def tree(pid: int) -> list[psutil.Process]:
    """A process, everything below it, and what is left of its session where it leads one.

    A daemon that was started below it and lost its parent is still in its session.
    """
    found: dict[int, psutil.Process] = {}
    try:
        top = psutil.Process(pid)
        found = {p.pid: p for p in [top, *top.children(recursive=True)]}
    except psutil.NoSuchProcess:
        pass  # it ended; what it left behind is looked for below
    for process in psutil.process_iter():
        if process.pid not in found and _session(process.pid) == pid:
            found[process.pid] = process
    return list(found.values())


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return -1  # gone, or another user's


def cpu_seconds(*pids: int) -> float:
    """User and system time of process trees, ended and awaited children included, in seconds."""
    total = 0.0
    for process in (p for pid in pids for p in tree(pid)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended between the two looks; its parent counts it as soon as it has awaited it
        total += times.user + times.system + times.children_user + times.children_system
    return float(total)
