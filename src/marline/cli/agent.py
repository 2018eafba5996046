"""Verbs of a pod's containers: run, server, drain, fetch, ask-golden."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

import click

from marline.errors import MarlineError

SETTINGS = click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path), default=Path("/etc/marline/pod.yaml"),
    show_default=True, help="The pod's settings.",
)  # fmt: skip
ROOT = click.option(
    "--root", type=click.Path(path_type=Path), default=Path("/run/marline"), show_default=True,
    help="Directory shared by the pod's containers.",
)  # fmt: skip


@click.group()
def agent() -> None:
    """What the containers of a pod run; each verb is one container, or one hook."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")


@agent.command()
@SETTINGS
@ROOT
def run(settings_path: Path, root: Path) -> None:
    """Observe the server: /ready, /live and /metrics on port 8083."""
    from marline.agent import app
    from marline.agent.settings import load_settings

    asyncio.run(app.run(load_settings(settings_path), root))


@agent.command()
@SETTINGS
@ROOT
def server(settings_path: Path, root: Path) -> None:
    """Check the archive, derive TorchServe's configuration, and become TorchServe."""
    from marline.agent.server import become
    from marline.agent.settings import load_settings

    become(load_settings(settings_path), root)


@agent.command()
@SETTINGS
@ROOT
def drain(settings_path: Path, root: Path) -> None:
    """Take the pod out of service; returns when every accepted request is answered (preStop hook)."""
    from marline.agent.drain import order
    from marline.agent.places import Places
    from marline.agent.settings import load_settings

    timeout = load_settings(settings_path).drain.timeout_s + 5
    result = order(Places(root), timeout)
    click.echo(f"drained in {result['seconds']} s, {result['left']} requests left")


@agent.command("ask-golden")
@SETTINGS
@click.option("--url", required=True, help="The endpoint's Service, such as http://sentiment:8080.")
def ask_golden(settings_path: Path, url: str) -> None:
    """Ask every golden request of the archive through a Service; any wrong answer is an error."""
    from marline.agent.golden import ask_all
    from marline.agent.settings import load_settings

    click.echo(ask_all(load_settings(settings_path), url))


@agent.command()
@click.option("--url", required=True, help="http, https, s3, gs or az; credentials come from the environment.")
@click.option("--sha256", required=True, help="Of the archive; another file gets no name.")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="Path of the archive.")
@click.option(
    "--termination-log", type=click.Path(path_type=Path), default=Path("/dev/termination-log"), show_default=True,
    help="Where it exists, the reason of a failure is written there.",
)  # fmt: skip
def fetch(url: str, sha256: str, target: Path, termination_log: Path) -> None:
    """Download an archive, resuming what was begun; a wrong digest leaves nothing (initContainer)."""
    from marline.agent.fetch import fetch as download

    try:
        click.echo(download(url, sha256, target, say=logging.getLogger("marline.agent").info))
    except MarlineError as error:
        if termination_log.exists():
            # the same sentence goes to standard error, which the kubelet takes where this cannot be written
            with contextlib.suppress(OSError):
                termination_log.write_text(f"{error}\n", encoding="utf-8")
        raise
