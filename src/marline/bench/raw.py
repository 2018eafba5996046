"""The yardstick: one bare loop per CPU (see :mod:`marline.bench.raw_loop`), all at the same time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from marline.errors import BenchError
from marline.serve.torchserve.environ import THREADS

SIZES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Batching:
    """How a bare loop groups: texts per batch, and whether it may look for texts of like length."""

    size: int
    ordered: bool

    def __str__(self) -> str:
        return f"{self.size}{' by length' if self.ordered else ''}"


@dataclass(frozen=True)
class RawRun:
    """What all loops did together.

    Attributes:
        right: answers with the expected label.
        wrong: other answers.
        rate: answers per second.
        cpu_seconds: used.
        padding: share of padding among the tokens computed.
    """

    right: int
    wrong: int
    rate: float
    cpu_seconds: float
    padding: float


def choices() -> list[Batching]:
    """Every grouping that is tried for the best one."""
    return [Batching(1, False), *(Batching(size, ordered) for size in SIZES[1:] for ordered in (False, True))]


class Raw:
    """One loop per CPU; use it as a context manager.

    Args:
        archive: directory of the unpacked archive.
        asked: file of questions.
        cpus: one loop is pinned to each.
    """

    def __init__(self, archive: Path, asked: Path, cpus: Sequence[int]) -> None:
        self._commands = [[sys.executable, "-m", "marline.bench.raw_loop", str(archive), str(asked), str(c)] for c in cpus]
        self._processes: list[subprocess.Popen[str]] = []

    def __len__(self) -> int:
        """How many loops."""
        return len(self._commands)

    def __enter__(self) -> Raw:
        """Start the loops and wait until each has loaded the model."""
        environ = {**os.environ, **dict.fromkeys(THREADS, "1"), "TOKENIZERS_PARALLELISM": "false"}
        try:
            for command in self._commands:
                self._processes.append(
                    subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
                )
            for process in self._processes:
                _answer(process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """End the loops."""
        self._stop()

    def _stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes = []

    def run(self, batching: Batching, seconds: float) -> RawRun:
        """Let all loops run at once.

        Raises:
            BenchError: when a loop died.
        """
        found = self._ask({"seconds": seconds, "batch": batching.size, "sorted": batching.ordered})
        return RawRun(
            right=sum(f["right"] for f in found),
            wrong=sum(f["wrong"] for f in found),
            rate=sum(f["right"] / f["seconds"] for f in found),
            cpu_seconds=sum(f["cpu_seconds"] for f in found),
            padding=sum(f["padding"] for f in found) / len(found),
        )

    def times(self, seconds: float) -> dict[str, float]:
        """Seconds that each text takes alone while all loops run, the median; texts that were not reached are absent."""
        taken: dict[str, list[float]] = {}
        for found in self._ask({"seconds": seconds, "batch": 1, "sorted": False, "times": True}):
            for text, times in found["times"].items():
                taken.setdefault(text, []).extend(times)
        return {text: statistics.median(times) for text, times in taken.items()}

    def _ask(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        for number, process in enumerate(self._processes):
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps({**order, "start": number * 311}) + "\n")
                process.stdin.flush()
            except OSError as error:
                raise BenchError(f"a bare loop died with exit code {process.wait()}; see its message above") from error
        return [_answer(process) for process in self._processes]


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        raise BenchError(f"a bare loop died with exit code {process.wait()}; see its message above")
    found: dict[str, Any] = json.loads(line)
    return found
