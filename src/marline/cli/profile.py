"""The verb ``profile``: where the time of one variant goes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from marline.bench.profile import run, table, texts
from marline.cli.options import opened, progress, store_option
from marline.cli.serving import archives
from marline.serve import read_archive
from marline.spec import load_model_spec


@click.command()
@click.argument("model")
@click.option("--version", help="Default: the version in production, else the newest.")
@click.option("--variant", help="Default: the model's default variant.")
@click.option("--texts", "most", type=click.IntRange(min=1), default=128, show_default=True, help="Questions asked.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Compute threads.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the files; default: profile/MODEL-VERSION.")
@store_option
def profile(
    model: str, version: str | None, variant: str | None, most: int, threads: int, out: Path | None, store_root: Path
) -> None:
    """Show where the time of one variant goes: phases, top operators, a trace file for Perfetto."""
    say = progress()
    spec = load_model_spec(model)
    chosen = read_archive(archives(opened(store_root), model, version, (variant,) if variant else ())[0])
    served = chosen.manifest.served_version
    asked = texts.bodies(spec, most)
    os.environ["MARLINE_THREADS"] = str(threads)
    say(f"profiling {model} {served} with {len(asked)} of the gate's questions")
    target = out or Path("profile") / f"{model}-{served}"
    found = run.profile(chosen, asked, spec.serving.batch_size, target)
    click.echo(
        f"{model} {served} on {found.cpu}: {found.requests} requests, at most {found.batch} together, {threads} threads: "
        f"{found.ms:.1f} ms ({found.profiled_ms:.1f} ms under the profiler)\n"
    )
    click.echo("\n".join(table.lines(found.phases, "phase")) + "\n")
    click.echo("\n".join(table.lines(found.operators, f"operator ({found.format})")) + "\n")
    click.echo(f"{target / run.TRACE}: open it in https://ui.perfetto.dev or chrome://tracing")
    click.echo(f"{target / run.PROFILE}: the same figures as JSON")
