"""LitServe: two inference workers behind its own API servers, its own batching between them.

As its documentation has it for CPUs: ``workers_per_device`` is the number of cores, ``fast_queue`` (ZeroMQ) above 100
requests per second, batching on the LitAPI, warnings only.  How many API servers and which queue is tuned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import litserve
from shared import settings, slots
from shared.classifier import Classifier

SETTINGS = settings.read(Path(__file__).parent)


class Sentiment(litserve.LitAPI):
    """Text in, label and scores out."""

    def setup(self, device: str) -> None:
        """Load the model on this worker's CPU."""
        slots.take(SETTINGS.processes)
        self.classifier = Classifier(SETTINGS.archive)

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe parses bodies by an annotation
        """The text of one request."""
        return request["text"]

    def predict(self, asked: str | list[str]) -> Any:
        """One answer for one text, a list for a batch."""
        if isinstance(asked, str):
            return self.classifier.classify([asked])[0]
        return self.classifier.classify(asked)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """The answer as it is."""
        return output


if __name__ == "__main__":
    slots.make()
    server = litserve.LitServer(
        Sentiment(max_batch_size=SETTINGS.batch, batch_timeout=SETTINGS.wait_ms / 1000),
        accelerator="cpu",
        devices=1,
        workers_per_device=SETTINGS.processes,
        fast_queue=SETTINGS.options["fast_queue"] == "on",
    )
    server.run(
        host=SETTINGS.host,
        port=SETTINGS.port,
        num_api_servers=int(SETTINGS.options["api_servers"]),
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
