"""What every process of a server is told, in one file of its directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from marline.serve.torchserve.archives import Served
from marline.spec.model import Serving

FILE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """What to serve and how.

    Attributes:
        root: directory of the server, which also holds the unpacked archives.
        names: model and served version of each archive, the default one first.
        processes: how many processes there are.
        batch_size: most requests computed together.
        delay_s: longest wait for a batch to fill, in seconds.
        queue_size: most requests that wait in one process.
        patience_s: longest wait of a request, in seconds.
    """

    root: Path
    names: tuple[tuple[str, str], ...]
    processes: int
    batch_size: int
    delay_s: float
    queue_size: int
    patience_s: float

    @classmethod
    def of(cls, root: Path, served: Sequence[Served], settings: Serving, processes: int) -> Plan:
        """From archives and the spec's ``serving``; the queue is shared out among the processes."""
        return cls(
            root, tuple((s.manifest.model, s.manifest.served_version) for s in served), processes,
            settings.batch_size, settings.max_batch_delay_ms / 1000, max(1, settings.queue_size // processes),
            float(settings.response_timeout_s),
        )  # fmt: skip

    @classmethod
    def read(cls, root: Path) -> Plan:
        """What :meth:`write` wrote into ``root``."""
        document = json.loads((root / FILE).read_bytes())
        names = tuple((model, version) for model, version in document.pop("names"))
        return cls(**{**document, "root": root, "names": names})

    def write(self) -> None:
        """Write it into the directory of the server."""
        document = {key: value for key, value in asdict(self).items() if key != "root"}
        (self.root / FILE).write_text(json.dumps(document), encoding="utf-8")

    def archive(self, number: int) -> Path:
        """Where archive ``number`` is unpacked."""
        return self.root / f"archive{number}"
