"""Open-loop load by k6: requests begin on time, however slow the answers are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marline.bench.contenders import Contender
from marline.bench.questions import Question
from marline.errors import BenchError

SCRIPT = Path(__file__).with_name("openloop.js")
BEGIN = "marline "
# requests on their way at the same time; more are not begun, and counted
MOST = 400
TIMEOUT_S = 20


@dataclass(frozen=True)
class Open:
    """One run of k6.

    Attributes:
        rate: requests begun per second.
        seconds: how long.
        right: answers with status 200 and the expected label, in the time of the load: those that came after it ended
            are no throughput of these seconds.
        wrong: answers with status 200 and another label.
        refused: answers with status 503.
        failed: other answers, and none.
        dropped: requests not begun, because too many were on their way.
        p50_ms, p95_ms, p99_ms, p999_ms: of the answers with status 200.
        refused_p99_ms: of the answers with status 503; None where there was none.
    """

    rate: float
    seconds: float
    right: int
    wrong: int
    refused: int
    failed: int
    dropped: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    refused_p99_ms: float | None

    @property
    def goodput(self) -> float:
        """Right answers per second."""
        return self.right / self.seconds


def program() -> Path:
    """Where k6 is: MARLINE_K6, else the path.

    Raises:
        BenchError: when there is none.
    """
    found = os.environ.get("MARLINE_K6") or shutil.which("k6")
    if not found or not Path(found).is_file():
        raise BenchError("k6 is not there; build it (`go install go.k6.io/k6@v1.8.1`) and name it in MARLINE_K6")
    return Path(found)


def write_requests(path: Path, asked: Sequence[Question], contender: Contender) -> None:
    """Write what k6 asks."""
    rows = [
        [contender.body.replace("{text}", json.dumps(q.text)), _plain(contender.label.replace("{label}", q.label))]
        for q in asked
    ]
    path.write_text(json.dumps({"path": contender.path, "rows": rows}), encoding="utf-8")


def _plain(label: str) -> str:
    """The label's pattern without blanks: answers are compared without theirs."""
    return label.replace(" *", "").replace(" ", "")


def open_loop(url: str, requests: Path, rate: float, seconds: float) -> Open:
    """Begin ``rate`` requests per second for ``seconds``.

    Args:
        url: scheme, host and port.
        requests: see :func:`write_requests`.
        rate: per second.
        seconds: how long.

    Raises:
        BenchError: when k6 fails or prints no summary.
    """
    environ = {
        "PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", ""), "K6_NO_USAGE_REPORT": "true",
        "TARGET": url, "REQUESTS": str(requests), "RATE": str(max(1, round(rate))), "SECONDS": str(max(1, round(seconds))),
        "MOST": str(MOST), "TIMEOUT": f"{TIMEOUT_S}s",
    }  # fmt: skip
    command = [str(program()), "run", "--quiet", "--no-usage-report", "--log-output", "none", str(SCRIPT)]
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=seconds + 3 * TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"k6 did not end {3 * TIMEOUT_S} s after its {seconds:g} s on {url}") from error
    line = next((row for row in done.stdout.splitlines() if row.startswith(BEGIN)), None)
    if line is None:
        raise BenchError(f"k6 failed on {url} (exit code {done.returncode}): {(done.stderr or done.stdout).strip()[-300:]}")
    return Open(rate=max(1, round(rate)), seconds=max(1, round(seconds)), **json.loads(line.removeprefix(BEGIN)))
