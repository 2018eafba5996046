"""BentoML: one service, two workers, its own adaptive batching in each.

As its documentation has it: ``workers`` is the number of processes, a batchable API takes and gives lists, the access
log and the metrics middleware are switched off where they are not needed.  Its batching has no wait: it learns the
cost of a batch and decides by it; ``max_latency_ms`` is the age at which it refuses a request, so the values tried for
it lie above what 16 waiting requests need.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import bentoml
from shared import settings, slots
from shared.classifier import Classifier

SETTINGS = settings.read(Path(__file__).parent)
BATCHED = {"batchable": True, "max_batch_size": SETTINGS.batch, "max_latency_ms": SETTINGS.wait_ms}
API: dict[str, Any] = BATCHED if SETTINGS.batch > 1 else {}


class Loaded:
    """The model on this worker's CPU."""

    def __init__(self) -> None:
        slot = slots.take(SETTINGS.processes)
        self.classifier = Classifier(SETTINGS.archive)
        slots.loaded(slot)

    async def __is_ready__(self) -> bool:
        """What ``/readyz`` asks of the one worker that answers it: are all of them loaded?"""
        return slots.all_loaded(SETTINGS.processes)


class InThread(Loaded):
    """The model in a worker thread, as a plain method is called."""

    @bentoml.api(route="/predict", **API)
    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """One answer per text."""
        return self.classifier.classify(texts)


class InLoop(Loaded):
    """The model in the event loop, as a coroutine is called."""

    @bentoml.api(route="/predict", **API)
    async def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """One answer per text."""
        return self.classifier.classify(texts)


Sentiment = bentoml.service(
    InLoop if SETTINGS.options["thread"] == "off" else InThread,
    name="sentiment",
    workers=SETTINGS.processes,
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    monitoring={"enabled": False},
)

if __name__ == "__main__":
    home = slots.make()
    os.environ.update({"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": tempfile.mkdtemp(dir=home)})
    command = ["bentoml", "serve", "server:Sentiment", "--host", SETTINGS.host, "--port", str(SETTINGS.port)]
    os.execvp(command[0], command)
