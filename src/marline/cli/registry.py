"""Verbs on the registry of published versions."""

from __future__ import annotations

import json
from pathlib import Path

import click

from marline.artifact import registry as registered
from marline.cli.options import opened, store_option


@click.group()
def registry() -> None:
    """Published versions and their stages: candidate, production, archived."""


@registry.command("list")
@store_option
def list_(store_root: Path) -> None:
    """Every version with its stage and variants."""
    for e in registered.entries(opened(store_root)):
        click.echo(f"{e.model:20} {e.version:10} {e.stage:10} default={e.default or '-':18} {', '.join(e.variants)}")


@registry.command()
@click.argument("model")
@click.argument("version", required=False)
@store_option
def show(model: str, version: str | None, store_root: Path) -> None:
    """One version in full, as JSON (production by default, else the newest)."""
    click.echo(json.dumps(registered.show(opened(store_root), model, version), indent=2))


@registry.command()
@click.argument("model")
@click.argument("a")
@click.argument("b")
@store_option
def diff(model: str, a: str, b: str, store_root: Path) -> None:
    """What differs between two versions, as JSON."""
    click.echo(json.dumps(registered.diff(opened(store_root), model, a, b), indent=2))


@registry.command()
@click.argument("model")
@click.argument("version")
@store_option
def promote(model: str, version: str, store_root: Path) -> None:
    """Make a version the one in production; its predecessor is archived."""
    entry = registered.promote(opened(store_root), model, version)
    click.echo(f"{entry.model} {entry.version} is in {entry.stage}")


@registry.command()
@click.argument("model")
@store_option
def rollback(model: str, store_root: Path) -> None:
    """Put the previous production version back."""
    entry = registered.rollback(opened(store_root), model)
    click.echo(f"{entry.model} {entry.version} is in {entry.stage}")


@registry.command()
@click.argument("model", required=False)
@click.option("--version", help="Remove exactly this candidate or archived version.")
@click.option("--keep", default=2, show_default=True, help="Archived versions to keep per model.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed.")
@store_option
def gc(model: str | None, version: str | None, keep: int, dry_run: bool, store_root: Path) -> None:
    """Remove old archived versions, and a named candidate; never what is in production."""
    for removed in registered.gc(opened(store_root), model, version, keep, dry_run):
        what = f"{removed.model} {removed.version} ({removed.stage}, {removed.size / 1e6:.1f} MB)"
        click.echo(f"{'would remove' if dry_run else 'removed'} {what}")
