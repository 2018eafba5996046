"""Options that several verbs share, and how progress is shown."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from marline.artifact.store import Store
from marline.errors import BuildError

F = TypeVar("F", bound=Callable[..., Any])


def store_option(function: F) -> F:
    """``--store``: where archives are."""
    return click.option(
        "--store",
        "store_root",
        type=click.Path(path_type=Path),
        default=Path("model_store"),
        envvar="MARLINE_STORE",
        show_default=True,
        show_envvar=True,
        help="Folder of archives.",
    )(function)


def strict_option(function: F) -> F:
    """``--strict``: warnings are errors."""
    return click.option("--strict", is_flag=True, help="An unproven combination of versions is an error.")(function)


def require_build_packages() -> None:
    """Refuse a verb that builds where only serving is installed.

    Raises:
        BuildError: naming the first package that is missing.
    """
    needed = ("torch", "transformers", "onnx", "safetensors", "model_archiver", "matplotlib")
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise BuildError(
            f"{missing[0]} is not installed, which building needs; `pip install 'marline[build]'`, or `make setup`"
        )


def opened(root: Path) -> Store:
    """The store at ``root``."""
    return Store(root)


def progress() -> Callable[[str], None]:
    """A function that prints lines of progress to standard error, each with the seconds since the start."""
    console, started = Console(stderr=True, highlight=False), time.monotonic()

    def say(line: str) -> None:
        seconds = time.monotonic() - started
        if sys.stderr.isatty():
            console.print(f"[dim]{seconds:6.1f}s[/dim]  {escape(line)}", markup=True)
        else:
            print(f"{seconds:6.1f}s  {line}", file=sys.stderr, flush=True)

    return say
