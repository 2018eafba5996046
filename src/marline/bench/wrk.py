"""Closed-loop load by wrk: as many requests as N connections bear, every answer checked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marline.bench.questions import Question
from marline.errors import BenchError

SCRIPT = Path(__file__).with_name("wrk.lua")
BEGIN = "marline "


@dataclass(frozen=True)
class Closed:
    """One run of wrk.

    Attributes:
        connections: each asks again as soon as it is answered.
        seconds: as measured by wrk.
        right: answers with status 200 and the expected label.
        wrong: answers with status 200 and another label.
        refused: answers with another status.
        lost: connections that could not be made, broke, or timed out.
        p50_ms, p95_ms, p99_ms, p999_ms: latency of all answers.
    """

    connections: int
    seconds: float
    right: int
    wrong: int
    refused: int
    lost: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float

    @property
    def rate(self) -> float:
        """Right answers per second."""
        return self.right / self.seconds


def program() -> Path:
    """Where wrk is.

    Raises:
        BenchError: when it is not installed.
    """
    if not (found := shutil.which("wrk")):
        raise BenchError("wrk is not installed; install it (Debian: `apt-get install wrk`)")
    return Path(found)


def write_requests(path: Path, asked: Sequence[Question], target: str, body: str, label: str) -> None:
    """Write what wrk asks as a Lua table.

    Args:
        path: to be written.
        asked: questions in the order they are asked.
        target: path of the URL.
        body: a request's body, ``{text}`` standing for the text as a JSON string.
        label: what a right answer holds, ``{label}`` standing for the label and a blank with a star for any
            number of blanks.
    """
    rows = [
        f"{{{_lua(body.replace('{text}', json.dumps(q.text)))},{_lua(pattern(label, q.label))}}}"
        for q in asked
    ]
    path.write_text(f"return {{path={_lua(target)},rows={{\n" + ",\n".join(rows) + "}}\n", encoding="utf-8")


def pattern(template: str, label: str) -> str:
    """A Lua pattern that finds the label in an answer."""
    escaped = re.sub(r"([^\w\s])", r"%\1", template.replace("{label}", label))
    return escaped.replace(" %*", " *")


def _lua(text: str) -> str:
    """A Lua string literal."""
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else "".join(f"\\{b:03d}" for b in c.encode()) for c in text) + '"'


def closed(url: str, requests: Path, connections: int, seconds: float, timeout_s: float = 30) -> Closed:
    """Ask as fast as the server answers.

    Args:
        url: scheme, host and port.
        requests: see :func:`write_requests`.
        connections: one thread each, so that an answer is known to belong to the last question.
        seconds: how long.
        timeout_s: of one request.

    Raises:
        BenchError: when wrk fails or prints no summary.
    """
    command = [
        str(program()), "-t", str(connections), "-c", str(connections), "-d", f"{max(1, round(seconds))}s",
        "--timeout", f"{round(timeout_s)}s", "-s", str(SCRIPT), url, "--", str(requests),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + timeout_s + 30, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"wrk did not end {timeout_s + 30:g} s after its {seconds:g} s on {url}") from error
    line = next((row for row in done.stdout.splitlines() if row.startswith(BEGIN)), None)
    if done.returncode or line is None:
        raise BenchError(f"wrk failed on {url}: {(done.stderr or done.stdout).strip()[-300:]}")
    return Closed(connections=connections, **json.loads(line.removeprefix(BEGIN)))
