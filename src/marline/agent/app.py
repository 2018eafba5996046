"""The agent's HTTP endpoints, and the process that serves them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from handlerkit import manifest as manifests
from marline.agent import drain, metrics
from marline.agent.addresses import everywhere
from marline.agent.front import configuration
from marline.agent.places import Places
from marline.agent.settings import AGENT_PORT, FRONT_PORT, METRICS_PORT, RUN, PodSettings
from marline.agent.watch import Watch
from marline.artifact.atomic import write_json
from marline.serve.torchserve.archives import read_archive

LOG = logging.getLogger("marline.agent")
PASS_TIMEOUT = aiohttp.ClientTimeout(5)
KNOCK_S = 0.3


class App:
    """Endpoints over one watch.

    Args:
        watch: what is known about the server.
        places: where the processes of the pod meet.
        front_port: where the front listens, on loopback too.
    """

    def __init__(self, watch: Watch, places: Places, front_port: int = FRONT_PORT) -> None:
        self.watch, self.places, self.front_port = watch, places, front_port
        self._registry = metrics.registry(watch)
        self._drain: asyncio.Task[dict[str, float | int]] | None = None

    def public(self) -> web.Application:
        """What the kubelet, Prometheus and the front ask over the network."""
        app = web.Application()
        app.router.add_get("/ready", self.ready)
        app.router.add_get("/ready/server", self.server_ready)
        app.router.add_get("/live", self.live)
        app.router.add_get("/live/server", self.server_live)
        app.router.add_get("/manifest", self.manifest)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/metrics/front", self.front_metrics)
        app.router.add_get("/metrics/server", self.server_metrics)
        return app

    def orders(self) -> web.Application:
        """What only the pod's own processes may ask."""
        app = web.Application()
        app.router.add_post("/drain", self.drain)
        return app

    async def ready(self, _: web.Request) -> web.Response:
        """Whether the pod should get requests."""
        reason = "the pod is draining" if self.watch.truth.draining else self._unready()
        if not reason and self.watch.settings.front.enabled and await _refused(self.front_port):
            # its container has started, its listener has not: a request sent here now would be lost
            reason = "the front does not listen yet"
        return _verdict("ready", reason)

    async def server_ready(self, _: web.Request) -> web.Response:
        """Whether the server answers rightly, also while the pod drains."""
        return _verdict("ready", self._unready())

    async def live(self, _: web.Request) -> web.Response:
        """Whether the agent itself runs; it says nothing about the server."""
        return _verdict("live", "")

    async def server_live(self, _: web.Request) -> web.Response:
        """Whether the server may still come back by itself."""
        return _verdict("live", self.watch.truth.dead(self.watch.clock()))

    async def manifest(self, _: web.Request) -> web.Response:
        """The archive's own ``manifest.json``: what is served, and the golden requests it has to answer."""
        return web.json_response(text=manifests.dumps(self.watch.manifest))

    async def metrics(self, _: web.Request) -> web.Response:
        """The agent's own metrics."""
        return web.Response(body=metrics.text(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def front_metrics(self, _: web.Request) -> web.Response:
        """Envoy's metrics, as it writes them."""
        connector = aiohttp.UnixConnector(str(self.places.admin))
        return await _passed("the front", "http://front/stats/prometheus?usedonly", connector)

    async def server_metrics(self, _: web.Request) -> web.Response:
        """TorchServe's metrics, as it writes them."""
        return await _passed("the server", f"http://127.0.0.1:{METRICS_PORT}/metrics", None)

    async def drain(self, _: web.Request) -> web.Response:
        """Drain the pod; a second order waits for the first one."""
        if self._drain is None:
            self._drain = asyncio.create_task(drain.drain(self.watch, self.places))
        return web.json_response(await asyncio.shield(self._drain))

    def _unready(self) -> str:
        return self.watch.truth.unready(self.watch.clock())


def _verdict(what: str, reason: str) -> web.Response:
    """200 where there is no reason against it, else 503 with the reason."""
    document = {what: not reason, "reason": reason}
    return web.json_response(document, status=503 if reason else 200, headers={"cache-control": "no-store"})


async def _refused(port: int) -> bool:
    """Whether nothing listens; a listener too busy to accept is no evidence of that."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), KNOCK_S)
    except ConnectionRefusedError:
        return True
    except (TimeoutError, OSError):
        return False
    writer.close()
    return False


async def _passed(who: str, url: str, connector: aiohttp.BaseConnector | None) -> web.Response:
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=PASS_TIMEOUT) as session,
            session.get(url) as response,
        ):
            body, kind = await response.read(), response.headers.get("content-type", "text/plain")
            return web.Response(status=response.status, body=body, headers={"content-type": kind})
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        return web.Response(status=503, text=f"{who} does not answer: {type(error).__name__}\n")


async def run(settings: PodSettings, root: Path = RUN, port: int = AGENT_PORT) -> None:
    """Write the front's configuration, then observe and answer until SIGTERM.

    Args:
        settings: the pod's.
        root: the directory shared by the pod's processes.
        port: for the public endpoints, on all addresses.

    Raises:
        ServeError: when the archive is not whole.
    """
    places = Places(root)
    served = await asyncio.to_thread(read_archive, Path(settings.archive.path))
    if settings.front.enabled:
        write_json(places.front, configuration(settings, served.manifest, places))
    watch = Watch(settings, served.manifest, places.server, places.admin)
    app = App(watch, places)
    public, orders = web.AppRunner(app.public(), access_log=None), web.AppRunner(app.orders(), access_log=None)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        for runner in (public, orders):
            await runner.setup()
        places.agent.unlink(missing_ok=True)  # left by an agent that was killed
        await web.UnixSite(orders, str(places.agent)).start()
        await web.SockSite(public, everywhere(port)).start()
        LOG.info("observing %s on :%d", watch.truth.who, port)
        looking = asyncio.create_task(watch.forever())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if looking.done():
            looking.result()  # raises what ended it
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
    finally:
        for runner in (public, orders):
            await runner.cleanup()
