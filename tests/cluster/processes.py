"""The processes of the node, found in the process table: no file with a pid can be stale, or lost."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def arguments(pid: int) -> list[str]:
    """A process's command line; empty once it has ended."""
    try:
        data = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return data.decode(errors="replace").rstrip("\0").split("\0") if data else []


def pids() -> list[int]:
    """Every process of this machine."""
    return [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]


def namespace(pid: int, kind: str) -> str | None:
    """One of a process's namespaces; None once it has ended."""
    try:
        return str((PROC / str(pid) / "ns" / kind).readlink())
    except OSError:
        return None


def mark(name: str) -> str:
    """The argument by which the PID 1 of a node is known."""
    return f"--node={name}"


def node_init(name: str) -> int | None:
    """The node's PID 1, as the host numbers it; None when the node is not running."""
    for pid in pids():
        words = arguments(pid)
        if len(words) == 2 and words[1] == mark(name) and Path(words[0]).name == "pause":
            return pid
    return None


def members(init: int) -> list[int]:
    """Everything that ends with the node: what runs in it, and what waits outside for it (``nsenter``, ``unshare``)."""
    node = namespace(init, "pid")
    if node is None:
        return []
    return [pid for pid in pids() if namespace(pid, "pid_for_children") == node]


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected by its parent does not."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
