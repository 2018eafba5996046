"""marline's own servers as contenders: TorchServe as marline runs it, and the second engine."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marline.artifact.store import Store
from marline.bench.contenders import Contender, Up
from marline.errors import BenchError
from marline.serve import TorchServer, read_archive
from marline.serve.torchserve import group
from marline.serve.torchserve.ports import LOCAL, free_ports
from marline.spec.model import Serving

READY_S = 120.0
STOP_S = 60.0


def marline(archive: Path, settings: Serving) -> Contender:
    """``marline serve`` with the spec's settings."""

    @contextmanager
    def start() -> Iterator[Up]:
        with TorchServer([read_archive(archive)], settings, port=0) as server:
            server.wait_ready()
            yield Up(server.url, (server.pid,))

    manifest = read_archive(archive).manifest
    return Contender(
        "marline", "marline (TorchServe)", start, f"/predictions/{manifest.model}",
        versions=_versions("torchserve", "onnxruntime"),
        notes=(f"{settings.batch_size} requests per message at most, {settings.max_batch_delay_ms} ms of waiting",),
    )  # fmt: skip


def engine(store: Store, model: str, version: str, variant: str) -> Contender:
    """``marline serve --engine fastapi`` as a process of its own: it watches its workers, and is paused with them."""

    @contextmanager
    def start() -> Iterator[Up]:
        port = free_ports(1)[0]
        command = [
            str(Path(sys.executable).with_name("marline")), "serve", model, "--version", version, "--variant", variant,
            "--engine", "fastapi", "--port", str(port), "--store", str(store.root),
        ]  # fmt: skip
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            try:
                try:
                    _healthy(f"http://{LOCAL}:{port}/health", process)
                except BenchError as error:
                    log.seek(0)
                    said = " ".join(log.read().decode(errors="replace").split())
                    raise BenchError(f"{error}: {said[-300:]}") from error
                yield Up(f"http://{LOCAL}:{port}", (process.pid,))
            finally:
                group.end(process, STOP_S)

    return Contender(
        "marline-fastapi", "marline (--engine fastapi)", start, "/predict",
        versions=_versions("fastapi", "uvicorn", "onnxruntime"),
    )  # fmt: skip


def _healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and not group.exited(process):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)  # it starts, or loads
    raise BenchError(f"{url} is not healthy")


def _versions(*packages: str) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in packages}
