"""Where the processes of a pod meet: paths below the directory that they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from marline.serve.torchserve.config import RunDirectory


@dataclass(frozen=True)
class Places:
    """Paths below the shared directory (``/run/marline`` in a pod)."""

    root: Path

    @property
    def server(self) -> RunDirectory:
        """The server's directory."""
        return RunDirectory(self.root / "server")

    @property
    def front(self) -> Path:
        """The front's configuration."""
        return self.root / "front.json"

    @property
    def admin(self) -> Path:
        """Unix socket of the front's administration."""
        return self.root / "front.sock"

    @property
    def retries(self) -> Path:
        """Unix socket on which the front takes its own retries."""
        return self.root / "retry.sock"

    @property
    def agent(self) -> Path:
        """Unix socket on which the agent takes orders."""
        return self.root / "agent.sock"
