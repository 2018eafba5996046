"""From nothing to an answer: build, serve, ask, and the table that says why that variant."""

from __future__ import annotations

import json
from pathlib import Path

import click

from marline.cli.options import opened, progress, require_build_packages, store_option
from marline.cli.serving import archives, interruptible, question, running
from marline.cli.table import print_report
from marline.spec import load_compat, load_model_spec, resolve_spec_path

MODEL = "sentiment"
QUESTION = "A warm, funny and beautifully acted film that I would happily watch again."


@click.command()
@click.option("--once", is_flag=True, help="Stop the server after the answer instead of waiting for Ctrl-C.")
@click.option("--port", default=8080, show_default=True, help="Port for inference; 0 takes a free one.")
@store_option
def quickstart(once: bool, port: int, store_root: Path) -> None:
    """Build the sentiment model, serve it, ask it once, and show the comparison of its variants."""
    require_build_packages()
    from marline.artifact.pipeline import build_model

    spec, base, store = load_model_spec(MODEL), resolve_spec_path(MODEL).parent, opened(store_root)
    result = build_model(spec, base, store, load_compat(), progress())
    paths = archives(store, MODEL, spec.version, ())
    with interruptible(), running(paths, MODEL, "127.0.0.1", port, 1) as server:
        url = f"{server.url}/predictions/{MODEL}"
        answer = question(url, QUESTION)
        click.echo(f"\n$ curl -d '{QUESTION}' {url}")
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
        print_report(result.report)
        click.echo(f"\nfull report: {store.directory(MODEL, spec.version) / 'report.html'}")
        if not once:
            click.echo(f"{url} is being served; Ctrl-C stops it")
            server.wait()
