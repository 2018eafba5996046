"""The errors a user can meet: each one exact sentence (what, where, what is allowed, what to do)."""

from __future__ import annotations


class MarlineError(Exception):
    """Base of all errors that end a command: printed as one line, exit code 1, no traceback."""


class SpecError(MarlineError):
    """One or more problems in YAML files; ``problems`` holds each as its own sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SourceError(MarlineError):
    """Weights or data that cannot be had, or are not what the spec's sha256 says."""


class BuildError(MarlineError):
    """A variant that cannot be built as named."""


class GateError(MarlineError):
    """A required variant that failed its quality gate, or no eligible variant at all."""


class StoreError(MarlineError):
    """The store refuses: a version is immutable, missing, or damaged."""


class ServeError(MarlineError):
    """A server that cannot be started, or that did not become ready, with the worker's reason."""


class BenchError(MarlineError):
    """A benchmark that cannot be made: a missing program, a server that does not start, answers that are wrong."""
