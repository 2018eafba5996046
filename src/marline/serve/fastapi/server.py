"""One server: its processes started from archives, a dead one brought back, all gone when it stops."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from marline.errors import ServeError
from marline.serve.fastapi import states
from marline.serve.fastapi.archives import unpack
from marline.serve.fastapi.plan import Plan
from marline.serve.torchserve import group
from marline.serve.torchserve.archives import Served
from marline.serve.torchserve.config import worker_counts
from marline.serve.torchserve.cpus import cpus
from marline.serve.torchserve.environ import THREADS
from marline.serve.torchserve.ports import LOCAL, require_free
from marline.spec.model import Serving

POLL_SECONDS = 0.05
# beyond the longest that a request may take: what was accepted is answered before
STOP_SECONDS = 5.0
# a process that dies again and again is not started more often than this, in seconds
LEAST_BETWEEN_STARTS = 1.0
QUEUE = 1024
PACKAGES = ("fastapi", "httptools", "uvicorn")


class FastApiServer:
    """Processes that answer from the same archives as TorchServe; use it as a context manager.

    Args:
        served: archives, the default one first.
        settings: the spec's ``serving``.
        host: IPv4 address for inference.
        port: port for inference; 0 takes a free one.
        threads: compute threads of one process.

    Raises:
        ServeError: without archives, with one that is given twice, or where FastAPI is not installed.
    """

    def __init__(
        self, served: Sequence[Served], settings: Serving, *, host: str = LOCAL, port: int = 8080, threads: int = 1
    ) -> None:
        require_fastapi()
        if not served:
            raise ServeError("there is no archive to serve; build one with `marline build`")
        names = [(s.manifest.model, s.manifest.served_version) for s in served]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ServeError(f"{twice[0]} {twice[1]} is given twice; give each archive once")
        self.served = list(served)
        self.settings = settings
        self.host = host
        self.port = port
        self.threads = threads
        # as many as TorchServe gives workers to the default archive
        self.processes = worker_counts(self.served, settings, cpus() // threads)[0]
        self._root: Path | None = None
        self._listening: socket.socket | None = None
        self._running: list[subprocess.Popen[bytes]] = []
        self._died_loading = False
        self._stopping = threading.Event()
        self._reviver: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients ask, without a trailing slash."""
        return f"http://{LOCAL if self.host == '0.0.0.0' else self.host}:{self.port}"

    @property
    def root(self) -> Path:
        """The private directory of the running server: the unpacked archives, and what it logs."""
        if self._root is None:
            raise ServeError("the server is not running; use it in a `with` block")
        return self._root

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [process.pid for process in self._running]

    def __enter__(self) -> FastApiServer:
        """Start the server; :meth:`wait_ready` says when it may be asked.

        Raises:
            ServeError: when the port cannot be had, or an archive cannot be unpacked.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _start(self) -> None:
        self._stopping.clear()
        self._died_loading = False
        self._listening = listen(self.host, self.port)
        self.port = self._listening.getsockname()[1]
        root = self._root = Path(tempfile.mkdtemp(prefix="marline-")).resolve()
        plan = Plan.of(root, self.served, self.settings, self.processes)
        for number, one in enumerate(self.served):
            unpack(one, plan.archive(number))
        plan.write()
        self._running = [self._started(index) for index in range(self.processes)]
        self._reviver = threading.Thread(target=self._revive, name="marline-revive", daemon=True)
        self._reviver.start()

    def _started(self, index: int) -> subprocess.Popen[bytes]:
        assert self._listening is not None
        descriptor = self._listening.fileno()
        command = [sys.executable, "-m", "marline.serve.fastapi.worker", str(self.root), str(index), str(descriptor)]
        with (self.root / "console.log").open("ab") as console:
            # a session of its own: Ctrl-C reaches this process, which then stops the others in order; should
            # it be killed instead, they see the end of their standard input
            return subprocess.Popen(
                command, env=environment(os.environ, self.threads, self.settings.cache_items), pass_fds=[descriptor], stdin=subprocess.PIPE,
                stdout=console, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _revive(self) -> None:
        """Until the server stops, another takes the place of a process that died."""
        started, spoke = [time.monotonic()] * self.processes, [False] * self.processes
        while not self._stopping.wait(POLL_SECONDS):
            for index, process in enumerate(self._running):
                if not group.exited(process):
                    continue
                spoke[index] = states.forget(self.root, index) or spoke[index]
                self._died_loading = self._died_loading or not spoke[index]
                if time.monotonic() - started[index] > LEAST_BETWEEN_STARTS:
                    _end(process)
                    started[index], spoke[index] = time.monotonic(), False
                    try:
                        self._running[index] = self._started(index)
                    except OSError as error:  # no memory for a process, say: there may be some a second later
                        logging.error("process %d cannot be started: %s", index, error)

    def wait_ready(self, timeout: float | None = None) -> None:
        """Return when every process has answered the golden requests of every archive.

        Args:
            timeout: seconds; the spec's ``startup_timeout_s`` if None.

        Raises:
            ServeError: with a process's reason, as soon as there is one.
        """
        limit = float(self.settings.startup_timeout_s) if timeout is None else timeout
        deadline = time.monotonic() + limit
        while missing := states.missing(self.root, self.processes):
            self._raise_failure()
            if time.monotonic() > deadline:
                raise ServeError(
                    f"{self._who(0)}: {missing} after {limit:g} s; "
                    "raise serving.startup_timeout_s if it needs longer to load"
                )
            time.sleep(POLL_SECONDS)

    def wait(self) -> None:
        """Block while the server runs (until KeyboardInterrupt, say); a process that dies is replaced."""
        while self._running and not self._stopping.wait(1.0):
            pass

    def stop(self) -> None:
        """Answer what was accepted, end every process, remove their directory; does nothing when it was done."""
        self._stopping.set()
        if self._reviver is not None:
            self._reviver.join()
            self._reviver = None
        running, self._running = self._running, []
        if self._listening is not None:
            # or connections would wait in a queue that nobody serves any more
            self._listening.close()
            self._listening = None
        try:
            for process in running:
                if not group.exited(process):
                    process.send_signal(signal.SIGTERM)
            until = time.monotonic() + self.settings.response_timeout_s + STOP_SECONDS
            while any(not group.exited(p) for p in running) and time.monotonic() < until:
                time.sleep(POLL_SECONDS)
        finally:  # a second Ctrl-C only ends the grace
            for process in running:
                _end(process)
            if self._root is not None:
                shutil.rmtree(self._root, ignore_errors=True)
                self._root = None

    def _raise_failure(self) -> None:
        for index in range(self.processes):
            if (state := states.read(self.root, index)) is not None and state.failed:
                raise ServeError(f"{self._who(state.archive)} did not load: {state.failed}")
        if self._died_loading:
            raise ServeError(
                f"{self._who(0)} did not load: its process ended while it loaded: {self._last_words()}; "
                "it may need more memory than there is"
            )

    def _who(self, number: int) -> str:
        one = self.served[number]
        return f"{one.path}: {one.manifest.model} {one.manifest.served_version}"

    def _last_words(self) -> str:
        text = (self.root / "console.log").read_text(encoding="utf-8", errors="replace")
        return ([line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1]


def _end(process: subprocess.Popen[bytes]) -> None:
    group.end(process, 0)
    if process.stdin is not None:
        process.stdin.close()


def require_fastapi() -> None:
    """Refuse where this engine is not installed.

    Raises:
        ServeError: naming the first package that is missing.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise ServeError(
            f"{missing[0]} is not installed, which `--engine fastapi` needs; `pip install 'marline[engine-fastapi]'`, "
            "or serve with `--engine torchserve`"
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on ``host:port``, 0 for a free port.

    Raises:
        ServeError: when the address is taken, not this machine's, or not allowed.
    """
    if port != 0:
        require_free(host, port)
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(QUEUE)
    except OSError as error:
        listening.close()
        raise ServeError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); choose another with --host and --port"
        ) from error
    return listening


def environment(inherited: Mapping[str, str], threads: int, cache_items: int = 0) -> dict[str, str]:
    """The environment of a process.

    Args:
        inherited: this process's environment.
        threads: compute threads of one process.
        cache_items: most answers kept by a process; 0 keeps none.
    """
    return {
        **inherited,
        **dict.fromkeys(THREADS, str(threads)),
        "MARLINE_CACHE_ITEMS": str(cache_items),
        # nothing that a server computes with is reported anywhere (on by default in the official builds)
        "ORT_DISABLE_TELEMETRY": "1",
        # a pool of its own in the tokenizer would use the CPUs of the other processes
        "TOKENIZERS_PARALLELISM": "false",
        # a process that dies of a signal says where
        "PYTHONFAULTHANDLER": "1",
    }
