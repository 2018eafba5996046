"""The other generated blocks of the docs: limits, variants, versions, verbs, stored runs."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from marline.build.report import SPEED_LIMITS
from marline.cli import main as marline
from marline.cli.table import COLUMNS, comparison
from marline.spec import VARIANTS, Gates, load_compat
from marline.spec.gates import BUILT_IN, LIMITS
from marline.spec.names import REFERENCE

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "figures"
BUILDERS = ROOT / "src" / "marline" / "build" / "variants"
WIDTH = 100


def gate_limits() -> str:
    """Every limit with its default, and what a miss means."""
    rows = []
    for name in LIMITS:
        field = Gates.model_fields[name]
        own = ", ".join(f"{limits[name]:g} for `{variant}`" for variant, limits in BUILT_IN.items() if name in limits)
        default = f"{field.default:g}" + (f" ({own})" if own else "")
        belongs = "artifact and CPU class: not eligible there" if name in SPEED_LIMITS else "artifact: no archive"
        rows.append((f"`{name}`", default, belongs, field.description or ""))
    return table(("limit", "default", "a miss belongs to", "meaning"), rows)


def variants() -> str:
    """Every variant that a spec may name."""
    rows = [
        (
            f"`{name}`",
            kind.format,
            _what(name),
            ", ".join(f"`{flag}`" for flag in kind.cpu_flags) or "none",
            "yes" if kind.calibrated else "no",
            "yes" if kind.batch_invariant else "no: served one item at a time",
        )
        for name, kind in VARIANTS.items()
    ]
    head = ("variant", "format", "how it is made", "needs CPU flag", "needs calibration", "answers independent of the batch")
    return table(head, rows)


def _what(variant: str) -> str:
    path = BUILDERS / f"{variant.replace('-', '_')}.py"
    if not path.is_file():
        return "no builder in this version; a spec that lists it fails to build"
    about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
    return about.partition(": ")[2].rstrip(".")


def compat() -> str:
    """Proven rows and known-bad versions of ``config/compat.yaml``."""
    known = load_compat(ROOT / "config" / "compat.yaml")
    columns = ("date", "python", "java", "torchserve", "torch", "onnxruntime", "transformers", "note")
    proven = table(columns, [tuple(str(getattr(row, column)) for column in columns) for row in known.proven])
    bad = table(("known bad", "because", "install instead"), [(f"{b.package} {b.version}", b.reason, b.instead) for b in known.bad])
    return f"{proven}\n\n{bad}"


def verbs() -> str:
    """Each verb and its first sentence."""
    return table(("verb", "what it does"), [(f"`{path}`", command.get_short_help_str(200)) for path, command in _commands() if path != "marline"])


def cli_help() -> str:
    """The help of every verb."""
    blocks = []
    for path, command in _commands():
        settings = {**marline.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH, "color": False}
        context = click.Context(command, info_name=path, **settings)
        blocks.append(f"### `{path}`\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(blocks)


def _commands(command: click.Command = marline, path: str = "marline") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, f"{path} {name}")


def stored_run(report: dict[str, Any]) -> dict[str, Any]:
    """A report as ``docs/figures`` keeps it: without single times, with the command that makes it."""
    entries = {n: {k: v for k, v in e.items() if k != "times_ms"} for n, e in report["variants"].items()}
    return {**report, "variants": entries, "command": f"python build.py build {report['model']}"}


def runs(model: str) -> list[dict[str, Any]]:
    """The stored runs of a model, by CPU class."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob(f"{model}-*.json"))]


def figures(model: str) -> str:
    """The comparison of each stored run, under the CPU class and the command that made it."""
    return "\n\n".join(_run(run) for run in runs(model)) or _no_run(model)


def headline(model: str) -> str:
    """One sentence per stored run."""
    return "\n".join(f"- {_sentence(run)}" for run in runs(model)) or _no_run(model)


def _run(run: dict[str, Any]) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in sorted(run["versions"].items()))
    cells = [tuple(f"**{c}**" if row[0] == run["default_variant"] and i == 0 else c for i, c in enumerate(row)) for row in comparison(run)]
    return (
        f"CPU class **{run['machine']['cpu_class']}** ({run['machine']['cpu']}), `{run['command']}`, one thread, "
        f"{run['items']['gate']} items in the gate split; {versions}. In bold: the default variant there.\n\n"
        f"{table(COLUMNS, cells)}"
    )


def _sentence(run: dict[str, Any]) -> str:
    best, reference = run["variants"][run["default_variant"]], run["variants"][run["reference"]]
    accuracy = f"{100 * best['accuracy']:.2f} % right on the gate split ({run['reference']}: {100 * reference['accuracy']:.2f} %)"
    return (
        f"CPU class {run['machine']['cpu_class']}, one thread, batch 1 (`{run['command']}`): `{run['default_variant']}` has a "
        f"median latency of {best['p50_ms']:.1f} ms, {best['p50_ratio']:.2f} times as fast as {REFERENCE} "
        f"({reference['p50_ms']:.1f} ms) in the same run, {accuracy}, {best['size_bytes'] / 1e6:.1f} MB instead of "
        f"{reference['size_bytes'] / 1e6:.1f} MB."
    )


def _no_run(model: str) -> str:
    return f"No run is stored yet: `python tools/gen_docs.py --figures model_store/{model}/<version>/report.json` stores one."


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
