"""What the test cluster refuses, each in one sentence."""

from __future__ import annotations

from marline.errors import MarlineError


class ClusterError(MarlineError):
    """The cluster cannot be started, stopped or asked."""


class CommandError(ClusterError):
    """A command failed; ``output`` is what it said (standard output, then standard error)."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output
