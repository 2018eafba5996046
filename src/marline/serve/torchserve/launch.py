"""What has to be in place before TorchServe's frontend starts, and the command that starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from marline.errors import ServeError
from marline.serve.torchserve.archives import Served
from marline.serve.torchserve.config import Listen, RunDirectory, derive, file_names
from marline.serve.torchserve.environ import require_torchserve
from marline.serve.torchserve.home import furnish
from marline.serve.torchserve.java import find_java
from marline.serve.torchserve.overlay import overlay
from marline.spec.model import Serving

LOG4J = Path(__file__).with_name("log4j2.xml")
HEAP_MB = 512
# a unix socket's path has at most 107 bytes, and TorchServe's longest below ours is tmp/.ts.sock.9000
LONGEST_ROOT = 107 - len("/tmp/.ts.sock.65535")


def prepare(run: RunDirectory, served: Sequence[Served], settings: Serving, workers: int, listen: Listen) -> None:
    """Fill the directory of a server that is about to start.

    Args:
        run: its root exists and is empty.
        served: archives, the default one first.
        settings: the spec's ``serving``.
        workers: how many workers the CPUs are good for.
        listen: addresses.

    Raises:
        ServeError: when the directory's path is too long for the sockets in it, or there is no TorchServe 0.12.0.
    """
    if len(os.fsencode(run.root)) > LONGEST_ROOT:
        raise ServeError(
            f"{run.root} is too long for the unix sockets in it (allowed: {LONGEST_ROOT} bytes); "
            "set TMPDIR to a shorter path"
        )
    for directory in (run.store, run.temporary, run.logs, run.working, run.classes):
        directory.mkdir()
    for one, name in zip(served, file_names(len(served)), strict=True):
        (run.store / name).symlink_to(one.path.resolve())
    installed = require_torchserve() / "ts"
    overlay(installed / "frontend", run.classes, waits=settings.max_batch_delay_ms > 0)
    furnish(run.home, installed)
    run.config.write_text(derive(served, settings, workers, listen, run), encoding="ascii")


def command(run: RunDirectory, heap_mb: int = HEAP_MB, *, console: bool = False) -> list[str]:
    """The command of the frontend.

    Args:
        run: a prepared directory.
        heap_mb: the frontend's largest heap, in MiB.
        console: print the logs as well.

    Raises:
        ServeError: when there is no Java, or no TorchServe 0.12.0.
    """
    java, installed = find_java(), require_torchserve()
    return [
        str(java),
        "-XX:+UseSerialGC", "-Xms32m", f"-Xmx{heap_mb}m", "-XX:+ExitOnOutOfMemoryError",
        "-Djava.util.concurrent.ForkJoinPool.common.parallelism=1",
        f"-Dmodel_server_home={run.home}",
        f"-Dlog4j.configurationFile={LOG4J.as_uri()}",
        f"-Dmarline.logs={run.logs}",
        f"-Dmarline.console={'info' if console else 'off'}",
        f"-Djava.io.tmpdir={run.temporary}",
        "-cp", f"{run.classes}:{installed}/ts/frontend/*", "org.pytorch.serve.ModelServer",
        "--python", sys.executable,
        "-f", str(run.config), "-s", str(run.store), "-ncs",
    ]  # fmt: skip
