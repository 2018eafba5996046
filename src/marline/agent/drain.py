"""Stopping without losing a request: unready, clients sent away, everything accepted answered, then the end."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
from pathlib import Path

import aiohttp

from marline.agent.places import Places
from marline.agent.watch import Watch, absent, front_stats
from marline.errors import ServeError

LOG = logging.getLogger("marline.agent")
POLL_S = 0.1
# requests of clients, and those sent on to the server
ACTIVE = r"^(http\.ingress\.downstream_rq_active|cluster\.server\.upstream_rq_active)$"
# seen idle this often before it is believed: between two requests of a client nothing is active
QUIET = 5


async def drain(watch: Watch, places: Places) -> dict[str, float | int]:
    """Take the pod out of service and wait until nothing is unanswered.

    Args:
        watch: its truth is told; its settings bound the wait.
        places: where the front's administration is.

    Returns:
        ``seconds`` it took, and requests ``left`` unanswered when the time was over.
    """
    settings = watch.settings.drain
    started = watch.clock()
    watch.truth.draining = True
    LOG.info("draining")
    if watch.settings.front.enabled:
        await _send_away(places.admin)
    quiet, active = 0, 0
    while (passed := watch.clock() - started) < settings.timeout_s:
        seen = await _active(watch, places.admin)
        # a front that does not tell keeps what it told before, and is not idle
        quiet = quiet + 1 if seen == 0 else 0
        active = active if seen is None else seen
        if quiet >= QUIET and passed >= settings.seconds:
            break
        await asyncio.sleep(POLL_S)
    result = {"seconds": round(watch.clock() - started, 2), "left": active}
    LOG.info("drained after %.1f s, %d requests left", result["seconds"], active)
    return result


async def _send_away(admin: Path) -> None:
    """The front says ``Connection: close`` with every answer from now on."""
    connector = aiohttp.UnixConnector(str(admin))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(2)) as session,
            session.post("http://front/healthcheck/fail") as response,
        ):
            await response.read()
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        LOG.warning("the front did not take the order to drain (%s); waiting all the same", error)


async def _active(watch: Watch, admin: Path) -> int | None:
    """Requests not answered yet; None when the front is there and does not tell in time."""
    if not watch.settings.front.enabled:
        return watch.truth.pending
    try:
        return max((await front_stats(admin, ACTIVE)).values(), default=0) + watch.truth.pending
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        return watch.truth.pending if absent(error) else None


def order(places: Places, timeout_s: float) -> dict[str, float | int]:
    """Tell the agent of this pod to drain, and wait for it.

    Args:
        places: where the agent listens.
        timeout_s: longest wait.

    Raises:
        ServeError: when no agent answers.
    """
    connection = http.client.HTTPConnection("agent", timeout=timeout_s)
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout_s)
        connection.sock.connect(str(places.agent))
        connection.request("POST", "/drain")
        result: dict[str, float | int] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServeError(
            f"{places.agent}: no agent answers ({error}); `marline agent drain` works in the pod whose agent runs"
        ) from error
    finally:
        connection.close()
    return result
