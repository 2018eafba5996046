"""The queue that cannot be beaten, against what is known of queues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marline.bench import ideal

times = st.floats(0, 5, allow_subnormal=False)
requests = st.lists(st.tuples(times, times), min_size=1, max_size=30).map(lambda rows: (sorted(a for a, _ in rows), [s for _, s in rows]))


def test_nobody_waits_for_an_idle_server() -> None:
    assert ideal.latencies([0, 10, 20], [1, 2, 3], 1) == [1, 2, 3]


def test_one_server_serves_in_order() -> None:
    assert ideal.latencies([0, 0, 1], [2, 2, 2], 1) == [2, 4, 5]


def test_the_next_goes_to_whoever_is_free_first() -> None:
    assert ideal.latencies([0, 0, 0, 0], [5, 1, 1, 1], 2) == [5, 1, 2, 3]


@given(requests)
def test_one_server_follows_lindleys_recursion(rows: tuple[list[float], list[float]]) -> None:
    arrivals, services = rows
    expected, wait = [], 0.0
    for i, service in enumerate(services):
        if i:
            wait = max(0.0, wait + services[i - 1] - (arrivals[i] - arrivals[i - 1]))
        expected.append(wait + service)
    assert ideal.latencies(arrivals, services, 1) == pytest.approx(expected, abs=1e-9)


@given(requests, st.integers(1, 4))
def test_more_servers_make_nobody_wait_longer_and_as_many_as_requests_nobody_at_all(
    rows: tuple[list[float], list[float]], servers: int
) -> None:
    arrivals, services = rows
    few, more = (ideal.latencies(arrivals, services, n) for n in (servers, servers + 1))
    assert all(b <= a + 1e-9 for a, b in zip(few, more, strict=True))
    assert ideal.latencies(arrivals, services, len(arrivals)) == pytest.approx(services, abs=1e-9)


def test_arrivals_are_evenly_spread_over_the_time() -> None:
    assert ideal.regular(4, 1.5) == [0, 0.25, 0.5, 0.75, 1, 1.25]
