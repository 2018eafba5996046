"""Who answered what, from the lines of access logs."""

from __future__ import annotations

import json

import pytest

from marline.errors import SourceError
from marline.rollout.outcomes.exposures import Exposures


def read(*lines):
    return Exposures.read(((n, line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n") for n, line in enumerate(lines, 1)), "log")


def asked(request_id, endpoint, **more):
    return {"time": "2026-11-21T19:00:00Z", "path": "/predictions/m", "status": 200, "request_id": request_id, "endpoint": endpoint, **more}


def test_lines_of_the_access_log_among_others():
    found = read(
        b"[2026-11-21 19:00:00.000][1][warning][main] some words\n",
        asked("a", "blue"),
        asked("b", "green", status=503),
        asked("p", "blue", path="/ping"),
        asked(None, "blue"),
        b'{"request_id": "c", "endp',
    )
    # an answer that was an error is an exposure: leaving it out would hide what the version did
    assert found.endpoints == {"a": "blue", "b": "green"}
    assert (found.ignored, found.again, found.conflicting) == (4, 0, 0)
    assert (found.of("blue"), found.of("green"), found.of("red")) == (1, 1, 0)


def test_the_same_twice_counts_once():
    found = read(asked("a", "blue"), asked("a", "blue"))
    assert (found.of("blue"), found.again) == (1, 1)


def test_a_request_that_two_endpoints_answered_is_nobody_s():
    found = read(asked("a", "blue"), asked("a", "green"), asked("a", "blue"))
    assert (found.of("blue"), found.of("green"), found.conflicting, found.again) == (0, 0, 1, 0)


@pytest.mark.parametrize("endpoint", [None, "", 7])
def test_an_id_without_an_endpoint_is_one_sentence(endpoint):
    with pytest.raises(SourceError, match=r"^log:2: has `request_id` and no `endpoint`; give lines of the access log, or objects like \{"):
        read(asked("a", "blue"), asked("b", endpoint))


def test_a_broken_line_is_one_sentence():
    with pytest.raises(SourceError, match=r"^log:1: is not JSON"):
        read(b'{"request_id": \n', asked("b", "blue"))


def test_what_a_rollout_replays_is_no_exposure() -> None:
    line = b'{"request_id": "marline-replay", "endpoint": "green", "path": "/predictions/toy"}'
    found = Exposures.read([(1, line), (2, line.replace(b"green", b"blue"))], "log")
    assert (found.endpoints, found.ignored) == ({}, 2)
