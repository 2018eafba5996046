"""``marline``: argument -> call -> print, one file per group of verbs."""

from __future__ import annotations

import os
import sys

# the gate measures one thread per model; BLAS pools of other sizes would only compete for the cores
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import click

import marline
from marline.cli import models, registry, serving
from marline.cli.quickstart import quickstart
from marline.errors import MarlineError


class _Group(click.Group):
    """Prints a MarlineError as one line per problem on standard error, exit code 1, no traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except MarlineError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(marline.__version__, prog_name="marline")
def main() -> None:
    """PyTorch models as measured, gated, reproducible TorchServe archives."""


for verb in (
    models.check,
    models.schemas,
    models.train,
    models.build,
    models.report,
    registry.registry,
    serving.serve,
    serving.ask,
    quickstart,
):
    main.add_command(verb)
