"""How many CPUs this process may use: affinity, and the quota of every cgroup above it."""

from __future__ import annotations

import os
from pathlib import Path


def cpus(root: Path = Path("/")) -> int:
    """Whole CPUs available, at least 1; a quota of 1.5 counts as 1.

    Args:
        root: where ``proc`` and ``sys`` are found.
    """
    quotas = [*_v2(root), *_v1(root)]
    return max(1, int(min([float(len(os.sched_getaffinity(0))), *quotas])))


def fills_the_cpus(workers: int, root: Path = Path("/")) -> bool:
    """Whether there is one worker for each CPU of this process's mask, and no quota allows less than all of them.

    Only then is a worker's own CPU its best place: with fewer workers, or with a quota of 2 on a node of 64 CPUs, every
    server of the machine would pin its workers to the same few.
    """
    mask = len(os.sched_getaffinity(0))
    return workers == mask and min([*_v2(root), *_v1(root)], default=float("inf")) >= mask


def _v2(root: Path) -> list[float]:
    """Quotas of ``cpu.max`` (``max 100000`` or ``150000 100000``, in microseconds)."""
    found = []
    for directory in _directories(root / "sys/fs/cgroup", _group(root, "")):
        quota, _, period = _read(directory / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            found.append(int(quota) / int(period))
    return found


def _v1(root: Path) -> list[float]:
    """Quotas of ``cpu.cfs_quota_us`` (-1: none)."""
    found = []
    for directory in _directories(root / "sys/fs/cgroup/cpu", _group(root, "cpu")):
        quota, period = _read(directory / "cpu.cfs_quota_us"), _read(directory / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():
            found.append(int(quota) / int(period))
    return found


def _group(root: Path, controller: str) -> str:
    """This process's path in a hierarchy; empty for the unified one of version 2."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _directories(mount: Path, group: str) -> list[Path]:
    """The group's directory and its parents; inside a container only the mount itself may exist."""
    own = mount / group.lstrip("/")
    return [own, *(p for p in own.parents if p == mount or mount in p.parents)]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # this hierarchy has no such limit
