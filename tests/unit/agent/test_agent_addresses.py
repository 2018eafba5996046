"""Listening on every address that the pod has, of whatever kind."""

from __future__ import annotations

import asyncio
import errno
import socket
from types import SimpleNamespace

import aiohttp
import pytest

from marline.agent import addresses, app, front
from marline.agent.addresses import everywhere, has_ipv6
from marline.agent.places import Places
from unit.agent.pod import MANIFEST, Pod, seen, settings


def reached(made: socket.socket, *hosts: str) -> bool:
    made.listen()
    for host in hosts:
        socket.create_connection((host, made.getsockname()[1]), timeout=10).close()
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this kernel has no IPv6")
def test_one_socket_is_reached_by_both_kinds_of_address() -> None:
    with everywhere(0) as made:
        assert reached(made, "127.0.0.1", "::1")


@pytest.mark.skipif(not has_ipv6(), reason="this kernel has no IPv6")
def test_the_agent_answers_on_both_kinds_of_address(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "read_archive", lambda _: SimpleNamespace(manifest=MANIFEST))
    with everywhere(0) as tried:
        port = tried.getsockname()[1]

    async def scenario() -> list[int]:
        running = asyncio.create_task(app.run(settings(), pod.root, port))
        try:
            await seen(lambda: running.done() or pod.places.agent.exists())
            async with aiohttp.ClientSession() as session:
                return [await status(session, f"http://{host}:{port}/live", running) for host in ("127.0.0.1", "[::1]")]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    assert asyncio.run(scenario()) == [200, 200]


async def status(session: aiohttp.ClientSession, url: str, running: asyncio.Task[None]) -> int:
    """Of the first answer; the agent's socket for orders is there a moment before the public one."""
    for _ in range(200):
        try:
            async with session.get(url) as answer:
                return answer.status
        except aiohttp.ClientConnectorError:
            assert not running.done()
            await asyncio.sleep(0.01)
    return 0


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_the_other_addresses_remain(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    whole = socket.socket

    def without(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(code, "no")
        return whole(family, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(addresses.socket, "socket", without)
        assert not has_ipv6()
        made = everywhere(0)
    with made:
        assert made.family == socket.AF_INET
        assert reached(made, "127.0.0.1")


def test_an_error_of_another_kind_is_not_taken_for_a_missing_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: int) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(addresses.socket, "socket", exhausted)
    with pytest.raises(OSError, match="too many open files"):
        has_ipv6()


def test_a_port_that_is_taken_is_an_error() -> None:
    with everywhere(0) as made:
        made.listen()
        with pytest.raises(OSError, match="in use"):
            everywhere(made.getsockname()[1])


@pytest.mark.parametrize(
    ("ipv6", "address"),
    [
        (True, {"address": "::", "port_value": 8080, "ipv4_compat": True}),
        (False, {"address": "0.0.0.0", "port_value": 8080}),
    ],
)
def test_the_front_listens_as_the_pod_has_addresses(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, ipv6: bool, address: dict[str, object]
) -> None:
    monkeypatch.setattr(front, "has_ipv6", lambda: ipv6)
    document = front.configuration(settings(), MANIFEST, Places(pod.root))
    assert document["static_resources"]["listeners"][0]["address"] == {"socket_address": address}
