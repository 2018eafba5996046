"""MLServer: one process for HTTP and batching, two inference workers, the V2 protocol.

As its documentation has it: ``parallel_workers`` is the number of processes, batching by ``max_batch_size`` and
``max_batch_time`` (which must be above 0), ``debug`` off (no access log); uvloop and orjson are its own requirements.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from numpy import array
from shared import settings, slots
from shared.classifier import Classifier

SETTINGS = settings.read(Path(__file__).parent)
LEAST_WAIT_S = 0.0001


class Sentiment(MLModel):
    """Texts in, labels and scores out."""

    async def load(self) -> bool:
        """Load the model on this worker's CPU; called in every worker, and in no other process."""
        slots.take(SETTINGS.processes)
        self.classifier = Classifier(SETTINGS.archive)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One row per text."""
        answers = self.classifier.classify(StringCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("label", [answer["label"] for answer in answers], use_bytes=False),
                NumpyCodec.encode_output("confidence", array([[answer["confidence"]] for answer in answers])),
                NumpyCodec.encode_output("scores", array([list(answer["scores"].values()) for answer in answers])),
                NumpyCodec.encode_output("tokens", array([[answer["tokens"]] for answer in answers])),
            ],
        )


def free_port() -> int:
    """A port for gRPC, which cannot be switched off."""
    with socket.socket() as probe:
        probe.bind((SETTINGS.host, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    folder = slots.make() / "sentiment"  # MLServer wants the folder called as the model is
    folder.mkdir()
    server = {
        "host": SETTINGS.host,
        "http_port": SETTINGS.port,
        "grpc_port": free_port(),
        "parallel_workers": SETTINGS.processes,
        "debug": False,
        "gzip_enabled": SETTINGS.options["gzip"] == "on",
        "metrics_endpoint": "/metrics" if SETTINGS.options["metrics"] == "on" else None,
        "metrics_port": free_port(),
        "metrics_dir": str(folder),
        "environments_dir": str(folder / "environments"),
    }
    model = {"name": "sentiment", "implementation": "server.Sentiment"}
    if SETTINGS.batch > 1:
        model |= {"max_batch_size": SETTINGS.batch, "max_batch_time": max(SETTINGS.wait_ms / 1000, LEAST_WAIT_S)}
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(model))
    os.environ["PYTHONPATH"] = f"{Path(__file__).parent}:{os.environ['PYTHONPATH']}"
    os.execvp("mlserver", ["mlserver", "start", str(folder)])
