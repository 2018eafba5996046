"""``pod.yaml``: what the chart tells the processes of one pod, all of them the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from marline.spec.base import BrokenRules, Strict
from marline.spec.explain import validate
from marline.spec.model import Serving, Sha256
from marline.spec.yaml import read_yaml

Seconds = Annotated[int, Field(ge=1, le=3600)]

FRONT_PORT = 8080
AGENT_PORT = 8083
# loopback only: nothing outside the pod reaches them
INFERENCE_PORT = 8085
METRICS_PORT = 8082
GRPC_PORTS = (7070, 7071)
RUN = Path("/run/marline")


class ArchiveSettings(Strict):
    """The one archive that the pod serves."""

    path: str = Field(pattern=r"^/", description="Absolute path of the .mar file.")
    sha256: Sha256 = Field(description="Of the file; another file is refused.")


class ServerSettings(Strict):
    """TorchServe's settings; the CPU limit of its container is workers x threads."""

    workers: int = Field(default=1, ge=1, le=64, description="Worker processes.")
    threads: int = Field(default=1, ge=1, le=64, description="Compute threads of one worker.")
    batch_size: int = Field(default=8, ge=1, le=256, description="Most requests handed to a worker at once.")
    max_batch_delay_ms: int = Field(
        default=0, ge=0, le=1000, description="Longest wait for a batch to fill; 0: what waits when a worker is free."
    )
    queue_size: int = Field(default=100, ge=1, le=100000, description="Requests waiting; one more is answered 503.")
    cache_items: int = Field(default=0, ge=0, le=1000000, description="Answers kept per worker; 0: none.")
    response_timeout_s: Seconds = Field(default=30, description="A worker that takes longer is replaced.")
    startup_timeout_s: Seconds = Field(default=120, description="Time to load and to answer the golden requests.")
    heap_mb: int = Field(default=256, ge=64, le=16384, description="Largest heap of the JVM, in MiB.")

    @property
    def serving(self) -> Serving:
        """The same as the spec's ``serving``, with the number of workers fixed."""
        own = self.model_dump(exclude={"workers", "threads", "heap_mb"})
        return Serving(min_workers=self.workers, max_workers=self.workers, **own)

    @property
    def in_flight(self) -> int:
        """Most requests that workers compute at one time: what the death of all workers can lose."""
        return self.workers * self.batch_size


class FrontSettings(Strict):
    """What the front lets through."""

    enabled: bool = Field(default=True, description="False: TorchServe itself listens on the pod's address.")
    max_body_bytes: int = Field(default=6_553_500, ge=1, le=6_553_500, description="TorchServe takes no larger body.")
    max_connections: int = Field(default=1000, ge=1, le=100000, description="Connections open at one time.")
    headers_timeout_s: Seconds = Field(default=10, description="Time to send all headers.")
    request_timeout_s: Seconds = Field(default=30, description="Time to send the whole request.")
    idle_timeout_s: Seconds = Field(default=120, description="An unused connection is closed after this.")
    max_connection_s: Seconds = Field(
        default=15, description="A connection of this age gets Connection: close, so that new pods get their share."
    )
    memory_mb: int = Field(
        default=256, ge=64, le=65536, description="Memory limit of its container, in MiB; near it requests are refused."
    )


class DrainSettings(Strict):
    """From the decision to stop until the server is told so."""

    seconds: int = Field(default=5, ge=0, le=300, description="At least this long: Services still send requests.")
    timeout_s: Seconds = Field(default=40, description="At most this long, whatever is still unanswered.")

    @model_validator(mode="after")
    def _ordered(self) -> DrainSettings:
        if self.seconds >= self.timeout_s:
            sentence = f"{self.seconds} is not less than timeout_s {self.timeout_s}; allowed: seconds < timeout_s"
            raise BrokenRules([(("seconds",), sentence)])
        return self


class PodSettings(Strict):
    """The whole of ``pod.yaml``."""

    endpoint: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", description="Key of the chart's `variants`.")
    archive: ArchiveSettings
    server: ServerSettings = ServerSettings()
    front: FrontSettings = FrontSettings()
    drain: DrainSettings = DrainSettings()


def load_settings(path: Path) -> PodSettings:
    """Read ``pod.yaml``.

    Raises:
        SpecError: every problem, with file, line and key.
    """
    return validate(PodSettings, read_yaml(path))
