"""Every request to every endpoint, a bounded number of them at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from marline.errors import ServeError
from marline.rollout.replay.endpoint import Endpoint, Reply
from marline.rollout.replay.requests import Item

MAX_UNANSWERED = 10


def play(endpoints: Sequence[Endpoint], items: Sequence[Item], concurrency: int) -> list[list[Reply]]:
    """Ask everything once.

    Args:
        endpoints: each is asked every item; one item's requests follow each other.
        items: at least one.
        concurrency: most items in flight.

    Returns:
        Per item, in order, one reply per endpoint.

    Raises:
        ServeError: when an endpoint gives no answer to the first request, or to ``MAX_UNANSWERED`` of them.
    """
    lock, stopped = threading.Lock(), threading.Event()
    unanswered = dict.fromkeys(range(len(endpoints)), 0)

    def one(item: Item) -> list[Reply]:
        replies: list[Reply] = []
        for number, endpoint in enumerate(endpoints):
            if stopped.is_set():
                return replies  # nobody looks at them
            replies.append(reply := endpoint.ask(item.request))
            if reply.status is None:
                with lock:
                    unanswered[number] += 1
                    much = unanswered[number]
                if item is items[0] or much >= MAX_UNANSWERED:
                    stopped.set()
                    what = "the first request" if item is items[0] else f"{MAX_UNANSWERED} requests"
                    raise _silent(endpoint, reply, what)
        return replies

    # alone, so that an address where nobody listens costs one request
    first = one(items[0])
    pool = ThreadPoolExecutor(concurrency)
    try:
        return [first, *pool.map(one, items[1:])]
    finally:
        pool.shutdown(cancel_futures=True)


def _silent(endpoint: Endpoint, reply: Reply, what: str) -> ServeError:
    reason = reply.body.decode(errors="replace")
    return ServeError(
        f"{endpoint.address}: gave no answer to {what} ({reason}); see whether its pods are ready, or correct the address"
    )
