"""``marline``: argument -> call -> print, one file per group of verbs."""

from __future__ import annotations

import importlib
import os
import sys

# the gate measures one thread per model; BLAS pools of other sizes would only compete for the cores
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# on by default in ONNX Runtime's official builds; whoever wants it says 0
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import click

import marline
from marline.errors import MarlineError

# verb to the module that has it: a verb loads only what it needs, for a pod's hooks start often
_VERBS = {
    "check": "models",
    "schemas": "models",
    "train": "models",
    "build": "models",
    "report": "models",
    "registry": "registry",
    "serve": "serving",
    "ask": "serving",
    "quickstart": "quickstart",
    "bench": "bench",
    "profile": "profile",
    "release": "release",
    "rollout": "rollout",
    "replay": "replay",
    "agent": "agent",
}


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

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a model meets them."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One verb, imported when it is asked for."""
        if cmd_name not in _VERBS:
            return None
        command = getattr(importlib.import_module(f"marline.cli.{_VERBS[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(marline.__version__, prog_name="marline")
def main() -> None:
    """PyTorch models as measured, gated, reproducible TorchServe archives, and their way onto Kubernetes."""
