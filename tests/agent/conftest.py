from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.envoy import Front, running, settings
from agent.upstream import Upstream, upstream


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def shared_front(shared_server: Upstream) -> Iterator[Front]:
    pod = settings(
        server={"workers": 1, "batch_size": 2, "queue_size": 6},
        front={"max_body_bytes": 3_000_000, "headers_timeout_s": 1, "request_timeout_s": 2, "max_connections": 200},
    )
    with running(shared_server, pod) as made:
        yield made


@pytest.fixture
def server(shared_server: Upstream) -> Iterator[Upstream]:
    """What stands behind the front, fresh for each test."""
    shared_server.reset()
    yield shared_server
    shared_server.release()


@pytest.fixture
def front(shared_front: Front, server: Upstream) -> Iterator[Front]:
    """A front that holds 8 requests (6 in the queue, 2 computed); the same for all tests of a file."""
    yield shared_front
    assert shared_front.process.poll() is None
    while shared_front.open:
        shared_front.open.pop().close()
