"""Start a peer as its ``peer.yaml`` says, wait until it is ready, ask it, and end its whole process group."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import environment
import yaml
from environment import PeerError
from shared import answers, session

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START_S = 120.0
STOP_S = 15.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


def described(name: str) -> dict[str, Any]:
    """What ``peer.yaml`` says of a peer."""
    return dict(yaml.safe_load((HERE / name / "peer.yaml").read_text(encoding="utf-8")))


class Running:
    """A peer that runs between ``with`` and its end.

    Args:
        name: the peer's folder.
        archive: the unpacked archive it serves.
        port: a free port of 127.0.0.1.
        tuning: JSON for ``MARLINE_PEER_TUNING``; None takes ``tuning.json``.
    """

    def __init__(self, name: str, archive: Path, port: int, tuning: str | None = None) -> None:
        self.name, self.peer, self.url = name, described(name), f"http://127.0.0.1:{port}"
        self._bin = environment.make(name)
        self._home = Path(tempfile.mkdtemp(prefix="ml-"))
        self.log = self._home / "log"
        kept = {key: value for key, value in os.environ.items() if key in ("HOME", "LANG", "USER")}
        self._env = kept | ONE_THREAD | {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'handlers'}:{HERE}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self._home),  # what a peer leaves behind goes with it; short, for Ray's socket paths
            "TOKENIZERS_PARALLELISM": "false",
            "MARLINE_PEER_HOST": "127.0.0.1",
            "MARLINE_PEER_PORT": str(port),
            "MARLINE_PEER_PROCESSES": str(min(2, len(os.sched_getaffinity(0)))),
            "MARLINE_ARCHIVE": str(archive),
            **({"MARLINE_PEER_TUNING": tuning} if tuning else {}),
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start, and return when the peer says that it is ready.

        Raises:
            PeerError: when it ends or is not ready in time, with the last line of its log.
        """
        command = [str(self._bin / self.peer["command"][0]), *self.peer["command"][1:]]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=HERE / self.name, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        # a command that is ended must end its peer too: SIGTERM becomes an exception that unwinds
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            self._wait_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def _wait_ready(self) -> None:
        assert self.process is not None
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise PeerError(
                    f"peer {self.name}: ended with exit code {self.process.returncode}: {self._last_line()}"
                )
            if self._status(self.peer["ready"]["path"]) == self.peer["ready"]["status"]:
                return
            time.sleep(0.1)
        raise PeerError(f"peer {self.name}: not ready after {START_S:.0f} s: {self._last_line()}")

    def _status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0  # nobody listens yet

    def _last_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it said nothing"

    def ask(self, text: str) -> str:
        """The body of the answer to one text."""
        predict = self.peer["predict"]
        body = answers.body(predict["body"], text).encode()
        request = urllib.request.Request(
            self.url + predict["path"], body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the group: SIGTERM, and SIGKILL for what is left."""
        if error is not None and self.log.is_file():
            print(f"peer {self.name}: last line of its log: {self._last_line()}", file=sys.stderr)
        self._stop()

    def _stop(self) -> None:
        assert self.process is not None
        for sign, patience in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                break
            if self._gone(patience):
                break
        self.process.wait()
        session.end(self.process.pid)  # those that stood in groups of their own
        shutil.rmtree(self._home, ignore_errors=True)

    def _gone(self, patience: float) -> bool:
        assert self.process is not None
        end = time.monotonic() + patience
        while time.monotonic() < end:
            self.process.poll()  # a dead child that nobody waited for would count as there
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False
