"""Large, slow and malformed requests end at the front; the server never sees them."""

from __future__ import annotations

import http.client
import select
import socket

import pytest

from agent.envoy import PREDICT, Front, rest, running, settings
from agent.upstream import Upstream, answers
from agent.waiting import until

HEAD = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\n".encode()


def trickle(connection: socket.socket, data: bytes) -> bytes:
    """Send a byte now and then until there is an answer; the answer."""
    for byte in data:
        connection.sendall(bytes([byte]))
        if select.select([connection], [], [], 0.02)[0]:
            break
    return rest(connection, b"")


def test_a_body_of_the_largest_size_passes_and_one_byte_more_does_not(front: Front, server: Upstream) -> None:
    assert front.ask(PREDICT, b"x" * 3_000_000).status == 200
    assert len(server.arrived[0].body) == 3_000_000
    answer = front.ask(PREDICT, b"x" * 3_000_001)
    assert (answer.status, answer.document) == (413, {"code": 413, "error": "Payload Too Large"})
    assert len(server.arrived) == 1


def test_the_default_limit_is_the_servers_own(server: Upstream) -> None:
    with running(server, settings()) as front:
        assert front.ask(PREDICT, b"x" * 6_553_500).status == 200
        assert front.ask(PREDICT, b"x" * 6_553_501).status == 413
    assert len(server.arrived) == 1


def test_a_body_without_length_is_limited_as_well(front: Front, server: Upstream) -> None:
    chunk = b"%x\r\n%s\r\n" % (1_000_000, b"x" * 1_000_000)
    head = HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    assert front.raw(head + 3 * chunk + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert len(server.arrived[0].body) == 3_000_000
    assert front.raw(head + 3 * chunk + b"1\r\nx\r\n0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert len(server.arrived) == 1


def test_a_large_answer_passes(front: Front, server: Upstream) -> None:
    server.answer = answers(200, body=b"x" * 5_000_000)
    assert len(front.ask().body) == 5_000_000


@pytest.mark.parametrize("sent", [b"", b"POST ", HEAD, HEAD + b"content-length: 2\r\nx-a: "], ids=["nothing", "method", "line", "header"])
def test_slow_headers_are_cut(front: Front, server: Upstream, sent: bytes) -> None:
    answer = front.raw(sent or b"\r\n")
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert server.arrived == []


def test_headers_have_a_time_of_their_own(server: Upstream) -> None:
    # that of a whole request would not be over while this test runs
    with running(server, settings(front={"headers_timeout_s": 1, "request_timeout_s": 3600})) as front:
        assert front.raw(HEAD).startswith(b"HTTP/1.1 408 ")


def test_headers_that_come_byte_by_byte_are_cut(front: Front, server: Upstream) -> None:
    assert trickle(front.connect(), HEAD + b"x-a: " + b"a" * 5000).startswith(b"HTTP/1.1 408 ")
    assert server.arrived == []


def test_a_body_that_comes_byte_by_byte_is_cut(front: Front, server: Upstream) -> None:
    connection = front.connect()
    connection.sendall(HEAD + b"content-length: 5000\r\n\r\n")
    assert trickle(connection, b"x" * 4999).startswith(b"HTTP/1.1 408 ")
    assert server.arrived == []


def test_slow_computing_is_not_a_slow_request(front: Front, server: Upstream) -> None:
    # the time to send a request is over, here 2 s after its beginning, and it is not cut
    server.answer = server.hold
    connection = front.connect()
    connection.sendall(HEAD + b"content-length: 0\r\n\r\n")
    other = front.connect()
    other.sendall(HEAD + b"content-length: 1\r\n\r\n")
    assert other.recv(12) == b"HTTP/1.1 408"
    assert select.select([connection], [], [], 0)[0] == []
    server.release()
    assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_hundred_headers_pass_and_more_do_not(front: Front, server: Upstream) -> None:
    assert front.ask(**{f"x_h{n}": "1" for n in range(96)}).status == 200
    assert front.ask(**{f"x_h{n}": "1" for n in range(101)}).status == 431
    assert len(server.arrived) == 1


def test_headers_of_the_largest_size_pass_and_larger_ones_do_not(front: Front, server: Upstream) -> None:
    assert front.ask(x_a="a" * 4000, x_b="b" * 2900).status == 200
    assert front.ask(x_a="a" * 4000, x_b="b" * 3300).status == 431
    assert front.ask(f"{PREDICT}?{'q' * 40000}").status == 431
    assert len(server.arrived) == 1


def test_a_header_with_an_underscore_cannot_pose_as_another(front: Front, server: Upstream) -> None:
    assert front.raw(HEAD + b"x_marline_error: 1\r\ncontent-length: 0\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert server.arrived == []


SMUGGLED = b"GET /models HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n",
        b"content-length: 4, 5\r\n",
        b"content-length: +4\r\n",
        b"content-length: 0x4\r\n",
        b"content-length: -4\r\n",
        b"content-length: 4\r\ntransfer-encoding: xchunked\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"transfer-encoding : chunked\r\ncontent-length: 4\r\n",
        b"transfer-encoding:\x0bchunked\r\ncontent-length: 4\r\n",
        b"content-length: 4\r\nx: a\0b\r\n",
        b" content-length: 4\r\n",
    ],
)
def test_two_opinions_about_where_a_request_ends_are_refused(front: Front, server: Upstream, headers: bytes) -> None:
    answer = front.raw(HEAD + headers + b"\r\n0\r\n\r\n" + SMUGGLED)
    assert answer.split(b" ")[1] in (b"400", b"501")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert server.arrived == []


def test_a_request_in_the_body_of_another_stays_there(front: Front, server: Upstream) -> None:
    head = HEAD + f"content-length: {len(SMUGGLED)}\r\nconnection: close\r\n\r\n".encode()
    assert front.raw(head + SMUGGLED).startswith(b"HTTP/1.1 200 ")
    assert [(a.path, a.body) for a in server.arrived] == [(PREDICT, SMUGGLED)]


def test_an_old_connection_is_asked_to_close_with_an_answer(server: Upstream) -> None:
    with running(server, settings(front={"max_connection_s": 1})) as front:
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)
        given = [front.on(connection, PREDICT, b"{}")]
        until(lambda: given.append(front.on(connection, PREDICT, b"{}")) or "connection" in given[-1].headers, "the last answer")
        connection.close()
    assert {answer.status for answer in given} == {200}
    assert given[-1].headers["connection"] == "close"
