"""What ends a rollout before its last step."""

from __future__ import annotations

from marline.errors import MarlineError


class Abort(Exception):
    """The candidate gets no more traffic; its text says why."""


class Foreign(MarlineError):
    """Somebody else has changed the release meanwhile."""


class Unwritten(MarlineError):
    """How it ended cannot be written down; whoever starts the driver again ends it in the same way."""
