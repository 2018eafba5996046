"""Verbs on specs: check, schemas, train, build, report."""

from __future__ import annotations

from pathlib import Path

import click

from marline.cli.options import opened, progress, require_build_packages, store_option, strict_option
from marline.cli.table import print_report
from marline.errors import SpecError, StoreError
from marline.spec import load_compat, load_model_spec, resolve_spec_path
from marline.spec.compat import installed_versions
from marline.spec.load import MODELS_DIR
from marline.spec.schemas import stale, write


@click.command()
@click.argument("names", nargs=-1)
@strict_option
def check(names: tuple[str, ...], strict: bool) -> None:
    """Validate specs (all of them by default) and the installed versions; every problem at once."""
    problems: list[str] = []
    warnings: list[str] = []
    specs = names or tuple(sorted(str(p) for p in MODELS_DIR.glob("*.yaml")))
    for name in specs:
        try:
            load_model_spec(name)
        except SpecError as error:
            problems += error.problems
    try:
        warnings = load_compat().check(installed_versions())
    except SpecError as error:
        problems += error.problems
    if problems or (strict and warnings):
        raise SpecError(problems + (warnings if strict else []))
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{len(specs)} specs are valid")


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Fail if a schema is stale, write nothing.")
def schemas(only_check: bool) -> None:
    """Write the JSON Schemas that editors complete specs from."""
    if only_check:
        if names := stale():
            raise SpecError([f"config/schemas/{name}: is stale; run `marline schemas`" for name in names])
        return
    for path in write():
        click.echo(path)


@click.command()
@click.argument("name")
@click.option("--keep-head", is_flag=True, help="Take the trained head that is there; only calibrate and record again.")
def train(name: str, keep_head: bool) -> None:
    """Make a model's trained head, calibration ranges and golden answers, beside its spec."""
    require_build_packages()
    from marline.build.sources import resolve
    from marline.build.train.run import train as run

    base = resolve_spec_path(name).parent
    spec = load_model_spec(name, untrained=True)
    for key, (path, digest) in run(spec, resolve(spec, base, untrained=True), progress(), keep_head).items():
        click.echo(f"{key}:\n  file: {path.relative_to(base)}\n  sha256: {digest}")


@click.command()
@click.argument("name")
@store_option
@strict_option
@click.option("--variant", "variants", multiple=True, help="Only this variant (and the reference); may be repeated.")
@click.option("--measure", is_flag=True, help="Measure existing archives on this machine; build nothing.")
def build(name: str, store_root: Path, strict: bool, variants: tuple[str, ...], measure: bool) -> None:
    """Build, gate and publish a model's variants."""
    require_build_packages()
    from marline.artifact.measuring import measure_model
    from marline.artifact.pipeline import build_model

    spec, base, store = load_model_spec(name), resolve_spec_path(name).parent, opened(store_root)
    if measure and variants:
        raise click.UsageError("--measure is about every published variant; leave --variant out")
    if measure:
        found = measure_model(spec, base, store, load_compat(), progress(), strict=strict)
    else:
        found = build_model(spec, base, store, load_compat(), progress(), strict=strict, only=variants).report
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    print_report(found)


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@store_option
def report(name: str, version: str | None, store_root: Path) -> None:
    """Print the comparison table of a published version (the newest by default)."""
    store = opened(store_root)
    version = version or store.known_versions(name)[-1]
    found = store.report(name, version)
    if found is None:
        raise StoreError(f"{store_root}: {name} {version} has no report; run `marline build {name}`")
    print_report(found)
