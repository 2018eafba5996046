"""More bodies than the front's memory holds: some are refused, none of them ends it."""

from __future__ import annotations

import json
import re
import select
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.envoy import PREDICT, Front, running, settings
from agent.upstream import Upstream
from agent.waiting import until
from marline.agent.overload import BUSY, heap_bytes

BODY = 6_000_000
MEMORY_MB = 256
# together more than twice the limit
CLIENTS = 110


def peak_mb(front: Front) -> int:
    """Most memory that the process has had resident, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{front.process.pid}/status").read_text())
    assert found
    return int(found[1]) >> 10


class Clients:
    """Connections that each send a large body, all at once and as fast as the front takes it."""

    def __init__(self, front: Front, count: int, size: int) -> None:
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY}\r\n\r\n".encode()
        self.left = {front.connect(): memoryview(head + b"x" * size) for _ in range(count)}
        self.answers: dict[socket.socket, bytes] = {}
        for one in self.left:
            one.setblocking(False)

    def step(self) -> bool:
        """Send and receive what goes; whether nobody has anything left to send."""
        waiting = [one for one in self.left if one not in self.answers]
        sending = [one for one in waiting if self.left[one]]
        readable, writable, _ = select.select(waiting, sending, [], 0.1)
        for one in readable:
            self.answers[one] = self._received(one)
        for one in writable:
            if one not in self.answers:
                self._send(one)
        return not [one for one in sending if one not in self.answers and self.left[one]]

    def _send(self, one: socket.socket) -> None:
        try:
            self.left[one] = self.left[one][one.send(self.left[one][: 1 << 18]) :]
        except ConnectionError:
            self.answers[one] = self._received(one)

    @staticmethod
    def _received(one: socket.socket) -> bytes:
        try:
            return one.recv(65536)
        except ConnectionError:
            return b""  # cut while it sent: an answer as well, of the shortest kind


def statuses(clients: Clients) -> Counter[bytes]:
    return Counter(answer[:12] for answer in clients.answers.values())


@pytest.fixture
def holding(server: Upstream) -> Iterator[Front]:
    """A front with the memory that it has by default, before a server that keeps every request."""
    server.answer = server.hold
    with running(server, settings(front={"request_timeout_s": 300}, server={"queue_size": 1000})) as front:
        yield front


def told_to_come_back(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    told = head.startswith(b"HTTP/1.1 503 ") and b"\r\nretry-after: 1\r\n" in head
    return told and json.loads(body) == {"code": 503, "error": BUSY}


def decided(one: Clients, server: Upstream, accepted: list[socket.socket]) -> bytes:
    """The refusal of a single client; empty when its connection is now among the accepted."""
    before = len(accepted)
    until(lambda: one.step() and (one.answers or server.active > before), "it is accepted or refused")
    accepted += [] if one.answers else list(one.left)
    return b"".join(one.answers.values())


@pytest.mark.parametrize("missing", [1, 0], ids=["unfinished", "whole"])
def test_a_burst_of_bodies_larger_than_the_memory_does_not_end_the_front(
    server: Upstream, holding: Front, missing: int
) -> None:
    clients = Clients(holding, CLIENTS, BODY - missing)
    until(clients.step, "everything is sent or refused")
    assert any(told_to_come_back(answer) for answer in clients.answers.values()), statuses(clients)
    assert holding.process.poll() is None
    assert peak_mb(holding) < MEMORY_MB
    for one in clients.left:
        one.close()
    server.release()
    until(lambda: holding.ask().status == 200, "it serves again")


def test_what_was_accepted_before_the_memory_was_full_is_answered(server: Upstream, holding: Front) -> None:
    accepted: list[socket.socket] = []
    refused = b""
    while not refused:
        assert len(accepted) < CLIENTS
        refused = decided(Clients(holding, 1, BODY), server, accepted)
    assert told_to_come_back(refused), refused
    assert len(accepted) * BODY > heap_bytes(MEMORY_MB) // 3
    assert peak_mb(holding) < MEMORY_MB
    server.release()
    for connection in accepted:
        connection.setblocking(True)
    assert {connection.recv(12) for connection in accepted} == {b"HTTP/1.1 200"}
    until(lambda: holding.ask().status == 200, "it serves again")


@pytest.mark.parametrize(("memory_mb", "heap_mb"), [(256, 208), (128, 80), (64, 32)])
def test_the_heap_leaves_room_in_the_container(memory_mb: int, heap_mb: int) -> None:
    assert heap_bytes(memory_mb) == heap_mb << 20
