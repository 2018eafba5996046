"""What is compared: servers that answer one text per request, each a process tree of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from marline.bench.questions import Question
from marline.bench.usage import cpu_seconds, tree

IDLE_S, LOOK_S, IDLE_SHARE = 6.0, 0.2, 0.2


@dataclass(frozen=True)
class Up:
    """A server that is ready.

    Attributes:
        url: scheme, host and port.
        pids: the tops of its process trees; everything below is measured with them.
    """

    url: str
    pids: tuple[int, ...]


@dataclass(frozen=True)
class Contender:
    """A server, how it is started, and how it is asked.

    Attributes:
        name: as on the command line.
        title: as in the report, with what is special about it.
        start: a context manager that starts it, waits until it is ready, and ends it.
        path: of the URL.
        body: of a request; ``{text}`` is the text as a JSON string.
        label: what a right answer holds (see :func:`marline.bench.wrk.pattern`).
        asked: questions with the labels of another artifact; None for those of the served one.
        versions: of the packages that make it.
        notes: sentences for the report: its batching, and why it is slow where it is.
    """

    name: str
    title: str
    start: Callable[[], AbstractContextManager[Up]]
    path: str
    body: str = '{"text": {text}}'
    label: str = '"label": *"{label}"'
    asked: Sequence[Question] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def settle(up: Up) -> None:
    """Wait until a server has computed what it was asked last: a load generator leaves without its last answers."""
    deadline = time.monotonic() + IDLE_S
    used = cpu_seconds(*up.pids)
    while time.monotonic() < deadline:
        time.sleep(LOOK_S)
        before, used = used, cpu_seconds(*up.pids)
        if used - before < IDLE_SHARE * LOOK_S:
            break


def pause(up: Up) -> None:
    """Stop a server's processes once they are idle, so that one that waits for its turn uses no CPU.

    One that was stopped while it computed would find its work overdue when it goes on, and restart what is healthy.
    """
    settle(up)
    _signal(up, signal.SIGSTOP)


def resume(up: Up) -> None:
    """Let them go on."""
    _signal(up, signal.SIGCONT)


def _signal(up: Up, number: int) -> None:
    for process in (p for pid in up.pids for p in tree(pid)):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue  # it ended by itself between the two calls
