"""The verb that turns a release into values of the chart."""

from __future__ import annotations

from pathlib import Path

import click

from marline.artifact import atomic
from marline.cli.options import opened, store_option
from marline.errors import MarlineError


@click.command()
@click.argument("environment")
@store_option
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the values to this file instead of printing them."
)
@click.option("--lock", is_flag=True, help="Write what the store says into the release's lock; print its name.")
def release(environment: str, store_root: Path, output: Path | None, lock: bool) -> None:
    """Derive the chart's values for a file of config/releases, given by name or path; every problem at once."""
    from marline.rollout.lock import write_lock
    from marline.rollout.plan import plan
    from marline.spec.release import lock_path

    if lock and output is not None:
        raise click.UsageError("--lock writes the lock and no values; leave --output out, then run it without --lock")
    found = plan(environment, opened(store_root), locking=lock)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    target = lock_path(found.path) if lock else output
    if target is None:
        click.echo(found.text, nl=False)
        return
    try:
        if lock:
            write_lock(target, found.facts)
        else:
            atomic.write_text(target, found.text)
    except OSError as error:
        raise MarlineError(
            f"{target}: cannot be written ({error.strerror}); name a file in a folder that is there"
        ) from error
    click.echo(target)
