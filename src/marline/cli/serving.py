"""Verbs on servers: serve, ask."""

from __future__ import annotations

import http.client
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from marline.artifact.registry import production
from marline.artifact.store import Store
from marline.cli.options import opened, progress, store_option
from marline.errors import ServeError
from marline.serve import Served, TorchServer, read_archive, torch_free_skips
from marline.serve.fastapi.server import FastApiServer
from marline.spec import load_model_spec
from marline.spec.model import Serving

# what --engine names, and how progress calls it
ENGINES = {"torchserve": "TorchServe", "fastapi": "FastAPI"}


def archives(store: Store, model: str, version: str | None, variants: tuple[str, ...]) -> list[Path]:
    """The archives to serve, the default one first.

    Args:
        store: where they are.
        model: the model.
        version: None for the version in production, else the newest.
        variants: names in order, the first is the default; all eligible ones if empty.
    """
    version = version or production(store, model) or store.known_versions(model)[-1]
    found = store.variants(model, version)
    if not variants:
        report = store.report(model, version) or {"default_variant": None, "variants": {}}
        eligible = [name for name in found if report["variants"].get(name, {}).get("eligible")]
        default = report["default_variant"]
        variants = tuple(sorted(eligible or found, key=lambda name: (name != default, name)))
    return [store.archive(model, version, name) for name in variants]


@contextmanager
def running(
    paths: list[Path], model: str, host: str, port: int, threads: int, engine: str = "torchserve"
) -> Iterator[TorchServer | FastApiServer]:
    """A server that is ready, with a line for each archive that cannot be served here."""
    say = progress()
    able, skipped = torch_free_skips([read_archive(path) for path in paths])
    for sentence in skipped:
        say(f"not served: {sentence}")
    if not able:
        raise ServeError(skipped[0])
    say(f"starting {ENGINES[engine]} with {len(able)} archives")
    with _server(engine, able, load_model_spec(model).serving, host, port, threads) as server:
        server.wait_ready()
        say(f"ready: {server.url}/predictions/{model} is {able[0].manifest.served_version}")
        for other in able[1:]:
            say(f"ready: {server.url}/predictions/{model}/{other.manifest.served_version}")
        yield server


def _server(
    engine: str, served: list[Served], settings: Serving, host: str, port: int, threads: int
) -> TorchServer | FastApiServer:
    kind = FastApiServer if engine == "fastapi" else TorchServer
    return kind(served, settings, host=host, port=port, threads=threads)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block in order, whatever it is doing: what it started is stopped, exit code 0."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


@click.command()
@click.argument("model")
@click.option("--version", help="Default: the version in production, else the newest.")
@click.option("--variant", "variants", multiple=True, help="Serve only these; the first is the default one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address for inference.")
@click.option("--port", default=8080, show_default=True, help="Port for inference; 0 takes a free one.")
@click.option("--threads", default=1, show_default=True, help="Compute threads per worker.")
@click.option(
    "--engine", type=click.Choice(list(ENGINES)), default="torchserve", show_default=True,
    help="What serves the archives; fastapi needs `pip install 'marline[engine-fastapi]'`.",
)  # fmt: skip
@store_option
def serve(
    model: str, version: str | None, variants: tuple[str, ...], host: str, port: int, threads: int, engine: str,
    store_root: Path,
) -> None:  # fmt: skip
    """Serve a published model until Ctrl-C, with TorchServe or another engine."""
    paths = archives(opened(store_root), model, version, variants)
    with interruptible(), running(paths, model, host, port, threads, engine) as server:
        server.wait()


def question(url: str, text: str) -> Any:
    """POST a text, return the decoded answer.

    Raises:
        ServeError: when nobody answers, or with the server's own words for a status other than 200.
    """
    try:
        request = urllib.request.Request(url, json.dumps({"text": text}).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise ServeError(
            f"{url} answered {error.code}: {error.read().decode('utf-8', 'replace').strip()[:300]}"
        ) from error
    except ValueError as error:
        raise ServeError(f"{url} is not the address of a model server ({error}); correct `--url`") from error
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise ServeError(
            f"{url} does not answer ({getattr(error, 'reason', error)}); start a server with `marline serve`"
        ) from error


@click.command()
@click.argument("model")
@click.argument("text")
@click.option("--version", help="For example 1.0.0-onnx-int8; the default version if absent.")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The server.")
def ask(model: str, text: str, version: str | None, url: str) -> None:
    """Ask a running server one question and print its answer."""
    path = f"/predictions/{model}" + (f"/{version}" if version else "")
    click.echo(json.dumps(question(url.rstrip("/") + path, text), indent=2, ensure_ascii=False))
