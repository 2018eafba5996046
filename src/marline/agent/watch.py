"""Looking at the server: its Describe API, its golden answer, and the front's counters."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from handlerkit.manifest import Manifest
from marline.agent import golden
from marline.agent.settings import INFERENCE_PORT, PodSettings
from marline.agent.truth import Truth
from marline.serve.torchserve import reasons
from marline.serve.torchserve.config import RunDirectory, file_names

LOG = logging.getLogger("marline.agent")
PERIOD_S = 0.25
LOOK_S = 0.1
DESCRIBE_TIMEOUT_S = 1.0
GOLDEN_PAUSE_S = 1.0
# asyncio's timeouts are used instead: with aiohttp's, a cancellation that comes in the same moment is lost
WITHOUT = aiohttp.ClientTimeout(total=None)
ANSWERS = "cluster.server.upstream_rq_2xx"
REQUESTS = "cluster.server.upstream_rq_active"


class Watch:
    """Keeps a :class:`Truth` up to date until it is cancelled.

    Args:
        settings: the pod's.
        manifest: of the archive that the server has to serve.
        run: the server's directory.
        admin: unix socket of the front's administration.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        settings: PodSettings,
        manifest: Manifest,
        run: RunDirectory,
        admin: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings, self.manifest, self.run, self.admin, self.clock = settings, manifest, run, admin, clock
        who = f"{manifest.model} {manifest.served_version}"
        self.truth = Truth(who, settings.server.workers, clock())
        self.port = INFERENCE_PORT if settings.front.enabled else 8080
        self.in_flight = 0
        self._answers = 0
        self._said = ""

    async def forever(self) -> None:
        """Observe, each source at its own pace."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._every(self._describe))
            tasks.create_task(self._every(self._ask_golden))
            if self.settings.front.enabled:
                tasks.create_task(self._every(self._front))

    async def _look(self) -> None:
        """Tell the truth that this process had its turn: without one, nothing can be heard."""
        while True:
            self.truth.look(self.clock())
            await asyncio.sleep(LOOK_S)

    async def _every(self, look: Callable[[], Any]) -> None:
        while True:
            started = self.clock()
            await look()
            self._say()
            await asyncio.sleep(max(0.0, PERIOD_S - (self.clock() - started)))

    def _say(self) -> None:
        """Log each change of mind once."""
        said = self.truth.unready(self.clock()) or "ready"
        # a silence grows from one look to the next; it is one change
        kind = said.split(" has said nothing")[0]
        if kind != self._said:
            self._said = kind
            LOG.info("%s", said)

    async def _describe(self) -> None:
        path = f"/models/{self.manifest.model}/{self.manifest.served_version}"
        connector = aiohttp.UnixConnector(str(self.run.management))
        try:
            async with (
                asyncio.timeout(DESCRIBE_TIMEOUT_S),
                aiohttp.ClientSession(connector=connector, timeout=WITHOUT) as session,
                session.get(f"http://server{path}") as response,
            ):
                status, answer = response.status, await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if absent(error):
                self.truth.gone()
            return  # silence else; how long it may last is the truth's to say
        if status == 404:
            self.truth.unregistered(self.clock())
            self.truth.not_loaded(self._refusal() or "the server did not register it")
            return
        if status != 200:
            return  # it failed to tell, which is as good as silence
        ready, pending, free = _read(json.loads(answer))
        self.truth.described(self.clock(), ready, pending, free)
        if not ready:
            self.truth.not_loaded(self._failure() or "it is loading")

    def _failure(self) -> str | None:
        name = f"{self.manifest.model}_{self.manifest.served_version}"
        return reasons.load_failure(self._log("model.log"), name)

    def _refusal(self) -> str | None:
        return reasons.refusals(self._log("server.log")).get(file_names(1)[0])

    def _log(self, name: str) -> str:
        try:
            return (self.run.logs / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""  # nothing was written yet

    async def _ask_golden(self) -> None:
        truth = self.truth
        if not truth.unchecked:
            return
        if not self.manifest.golden:  # the archive records none: what the workers said has to do
            truth.golden(self.clock(), truth.ready, "")
            return
        asked, first = truth.ready, self.manifest.golden[0]
        url = f"http://127.0.0.1:{self.port}/predictions/{self.manifest.model}/{self.manifest.served_version}"
        headers = {"content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(self.settings.server.response_timeout_s),
                aiohttp.ClientSession(timeout=WITHOUT) as session,
                session.post(url, data=golden.body(first), headers=headers) as response,
            ):
                status, answer, own = response.status, await response.read(), response.headers.get("x-marline-error")
        except (TimeoutError, aiohttp.ClientError, OSError):
            return  # nobody answered, which proves nothing; it is asked again
        if status == 200 or own:
            truth.golden(self.clock(), asked, golden.difference(self.manifest, first, status, answer))
        # the server's own refusals (a full queue, a worker that died) say nothing about the model
        if truth.unchecked:
            await asyncio.sleep(GOLDEN_PAUSE_S)

    async def _front(self) -> None:
        """A growing count of answers is life, whatever Describe says."""
        try:
            stats = await front_stats(self.admin, f"^({ANSWERS}|{REQUESTS})$")
        except (TimeoutError, aiohttp.ClientError, OSError):
            return  # the front starts after the server
        answers, self.in_flight = stats.get(ANSWERS, 0), stats.get(REQUESTS, 0)
        if answers > self._answers:
            self.truth.answered(self.clock())
        self._answers = answers


async def front_stats(admin: Path, pattern: str) -> dict[str, int]:
    """Counters and gauges of the front whose names match.

    Args:
        admin: unix socket of its administration.
        pattern: regular expression over whole names.

    Raises:
        TimeoutError, aiohttp.ClientError, OSError: when the front does not answer.
    """
    async with (
        asyncio.timeout(DESCRIBE_TIMEOUT_S),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(admin)), timeout=WITHOUT) as session,
        session.get("http://front/stats", params={"format": "json", "filter": pattern}) as response,
    ):
        document = json.loads(await response.read())
    return {s["name"]: int(s["value"]) for s in document["stats"] if "value" in s}


def absent(error: BaseException) -> bool:
    """Whether an error says that nothing listens; a cut, a timeout and an agent out of descriptors do not."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return isinstance(cause, (ConnectionRefusedError, FileNotFoundError))


def _read(document: Any) -> tuple[frozenset[int], int, int]:
    """READY workers, requests waiting, and free places, from Describe's answer for one version."""
    entry = document[0]
    ready = frozenset(int(w["pid"]) for w in entry["workers"] if w["status"] == "READY")
    queue = entry["jobQueueStatus"]
    return ready, int(queue["pendingRequests"]), int(queue["remainingCapacity"])
