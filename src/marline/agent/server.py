"""TorchServe as a container's process: everything is checked and written, then this process becomes the JVM."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from marline.agent.places import Places
from marline.agent.settings import FRONT_PORT, GRPC_PORTS, INFERENCE_PORT, METRICS_PORT, RUN, PodSettings
from marline.artifact.mar import digest
from marline.errors import ServeError
from marline.serve.torchserve import launch
from marline.serve.torchserve.archives import read_archive
from marline.serve.torchserve.config import Listen
from marline.serve.torchserve.environ import environment
from marline.serve.torchserve.torchless import torch_free_skips


def prepare(settings: PodSettings, root: Path = RUN) -> tuple[list[str], dict[str, str], Path]:
    """Check the archive and write what TorchServe reads.

    Args:
        settings: the pod's.
        root: the directory shared by the pod's processes.

    Returns:
        The command, its environment, and its working directory.

    Raises:
        ServeError: for an archive with another digest, a damaged one, or one that needs torch where there is none.
    """
    path = Path(settings.archive.path)
    require_digest(path, settings.archive.sha256)
    served = read_archive(path)
    if skipped := torch_free_skips([served])[1]:
        raise ServeError(skipped[0])
    run = Places(root).server
    # what a killed server left: old sockets, and its unpacked archive
    shutil.rmtree(run.root, ignore_errors=True)
    run.root.mkdir(mode=0o700, parents=True)
    front = settings.front.enabled
    listen = Listen(
        "127.0.0.1" if front else "0.0.0.0", INFERENCE_PORT if front else FRONT_PORT, METRICS_PORT, *GRPC_PORTS
    )
    launch.prepare(run, [served], settings.server.serving, settings.server.workers, listen)
    command = launch.command(run, settings.server.heap_mb, console=True)
    own = settings.server
    return command, environment(os.environ, own.threads, own.workers, own.cache_items), run.working


def become(settings: PodSettings, root: Path = RUN) -> None:
    """Turn this process into TorchServe's frontend; returns only by an exception."""
    command, environ, working = prepare(settings, root)
    os.chdir(working)
    os.execve(command[0], command, environ)


def require_digest(path: Path, sha256: str) -> None:
    """Check that a file is the one that was released.

    Raises:
        ServeError: when it is missing, or another one.
    """
    try:
        found = digest(path)
    except OSError as error:
        raise ServeError(
            f"{path}: cannot be read ({error.strerror or error}); put the archive with sha256 {sha256} there"
        ) from error
    if found != sha256:
        raise ServeError(
            f"{path}: has sha256 {found}, the release says {sha256}; "
            "deliver the archive that was released, or release this one with `marline release`"
        )
