"""One TorchServe: started from archives, ready when every worker has answered its golden requests, gone when done."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from marline.errors import ServeError
from marline.serve.torchserve import group, launch, reasons
from marline.serve.torchserve.archives import Served, read_archive
from marline.serve.torchserve.config import Listen, RunDirectory, file_names, worker_counts
from marline.serve.torchserve.cpus import cpus
from marline.serve.torchserve.describe import Described, describe
from marline.serve.torchserve.environ import environment
from marline.serve.torchserve.java import find_java
from marline.serve.torchserve.ports import LOCAL, free_ports, require_free
from marline.serve.torchserve.torchless import torch_free_skips
from marline.spec.model import Serving

POLL_SECONDS = 0.05
STOP_SECONDS = 15.0


def serve(
    archives: Sequence[Path], settings: Serving, *, host: str = LOCAL, port: int = 8080, threads: int = 1
) -> TorchServer:
    """Check archives and prepare a server for them; it starts as a context manager.

    Args:
        archives: ``.mar`` files, the default one first.
        settings: the spec's ``serving``.
        host: IPv4 address for inference.
        port: port for inference; 0 takes a free one.
        threads: compute threads of one worker.

    Raises:
        ServeError: for an archive that is damaged or given twice, or that needs torch where there is none.
    """
    served = [read_archive(path) for path in archives]
    _, skipped = torch_free_skips(served)
    if skipped:
        raise ServeError(skipped[0])
    return TorchServer(served, settings, host=host, port=port, threads=threads)


class TorchServer:
    """A TorchServe process and its workers; use it as a context manager.

    Args:
        served: archives, the default one first.
        settings: the spec's ``serving``.
        host: IPv4 address for inference.
        port: port for inference; 0 takes a free one.
        threads: compute threads of one worker.
    """

    def __init__(
        self, served: Sequence[Served], settings: Serving, *, host: str = LOCAL, port: int = 8080, threads: int = 1
    ) -> None:
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
        self.metrics_port = 0
        self._run: RunDirectory | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._workers = worker_counts(self.served, settings, cpus() // threads)

    @property
    def url(self) -> str:
        """Where clients ask, without a trailing slash."""
        return f"http://{LOCAL if self.host == '0.0.0.0' else self.host}:{self.port}"

    @property
    def metrics_url(self) -> str:
        """Where Prometheus scrapes, reachable from this machine only."""
        return f"http://{LOCAL}:{self.metrics_port}/metrics"

    @property
    def run(self) -> RunDirectory:
        """The private directory of the running server."""
        if self._run is None:
            raise ServeError("the server is not running; use it in a `with` block")
        return self._run

    @property
    def pid(self) -> int:
        """The frontend's process, above all workers."""
        if self._process is None:
            raise ServeError("the server is not running; use it in a `with` block")
        return self._process.pid

    def __enter__(self) -> TorchServer:
        """Start the server; :meth:`wait_ready` says when it may be asked.

        Raises:
            ServeError: when Java, TorchServe or the port cannot be had.
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
        find_java()
        environ = environment(os.environ, self.threads, self._workers[0], self.settings.cache_items)
        ports = free_ports(4)
        if self.port == 0:
            self.port = ports[3]
        require_free(self.host, self.port)
        self.metrics_port = ports[0]
        run = self._run = RunDirectory(Path(tempfile.mkdtemp(prefix="marline-")).resolve())
        listen = Listen(self.host, self.port, *ports[:3])
        launch.prepare(run, self.served, self.settings, cpus() // self.threads, listen)
        command = launch.command(run)
        with (run.logs / "console.log").open("wb") as console:
            # a session of its own: Ctrl-C reaches this process, which then stops the server in order
            self._process = subprocess.Popen(
                command, cwd=run.working, env=environ, stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait_ready(self, timeout: float | None = None) -> None:
        """Return when every archive has all its workers loaded, which means: golden requests answered rightly.

        Args:
            timeout: seconds; the spec's ``startup_timeout_s`` if None.

        Raises:
            ServeError: with the worker's or the frontend's reason, as soon as there is one.
        """
        limit = float(self.settings.startup_timeout_s) if timeout is None else timeout
        deadline = time.monotonic() + limit
        while True:
            missing = self._missing()
            if not missing:
                return
            self._raise_failure()
            if time.monotonic() > deadline:
                raise ServeError(
                    f"{missing} after {limit:g} s; raise serving.startup_timeout_s if it needs longer to load"
                )
            time.sleep(POLL_SECONDS)

    def wait(self) -> None:
        """Block while the server runs (until KeyboardInterrupt, say).

        Raises:
            ServeError: when the server ends by itself.
        """
        while self._process is not None and not group.exited(self._process):
            time.sleep(0.2)
        self._raise_ended()

    def stop(self) -> None:
        """End the server and every worker, and remove their directory; does nothing when it was done."""
        process, self._process = self._process, None
        try:
            if process is not None:
                group.end(process, STOP_SECONDS)
        finally:
            if self._run is not None:
                shutil.rmtree(self._run.root, ignore_errors=True)
                self._run = None

    def describe(self) -> list[Described]:
        """Every registered version with its workers, as the management API says; none before it listens."""
        found = []
        try:
            for model in dict.fromkeys(s.manifest.model for s in self.served):
                found += describe(self.run.management, model)
        except (OSError, http.client.HTTPException):
            return []
        return found

    def _missing(self) -> str:
        """The first archive without all its workers, as a phrase; empty when all are there."""
        found = {(d.model, d.version): len(d.ready) for d in self.describe()}
        for one, wanted in zip(self.served, self._workers, strict=True):
            model, version = one.manifest.model, one.manifest.served_version
            if (ready := found.get((model, version), 0)) < wanted:
                return f"{model} {version} has {ready} of {wanted} workers ready"
        return ""

    def _raise_failure(self) -> None:
        refused = reasons.refusals(self._log("server.log"))
        workers = self._log("model.log")
        for one, name in zip(self.served, file_names(len(self.served)), strict=True):
            who = f"{one.manifest.model} {one.manifest.served_version}"
            if why := refused.get(name):
                raise ServeError(f"{one.path}: TorchServe refuses it: {why}; build it again with `marline build`")
            if reason := reasons.load_failure(workers, f"{one.manifest.model}_{one.manifest.served_version}"):
                raise ServeError(f"{one.path}: {who} did not load: {reason}")
        if self._process is None or group.exited(self._process):
            self._raise_ended()

    def _raise_ended(self) -> None:
        raise ServeError(f"TorchServe on {self.host}:{self.port} ended: {reasons.last_words(self._log('console.log'))}")

    def _log(self, name: str) -> str:
        try:
            return (self.run.logs / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""  # nothing was written yet
