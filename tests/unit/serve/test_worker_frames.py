"""The worker's reader against upstream's own functions: the same bytes give the same values of the same types."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marline.serve.torchserve.worker import frames

END = struct.pack("!i", -1)


def text(value: bytes) -> bytes:
    return struct.pack("!i", len(value)) + value


def load(name: bytes, path: bytes, batch: int, handler: bytes, gpu: int, envelope: bytes, limited: int) -> bytes:
    numbers = struct.pack("!i", batch), struct.pack("!i", gpu), bytes([limited])
    return b"L" + text(name) + text(path) + numbers[0] + text(handler) + numbers[1] + text(envelope) + numbers[2]


def predict(*requests: tuple[bytes, list[tuple[bytes, bytes]], list[tuple[str, str, bytes]]]) -> bytes:
    message = b"I"
    for identifier, headers, parameters in requests:
        message += text(identifier)
        message += b"".join(text(name) + text(value) for name, value in headers) + END
        message += b"".join(text(n.encode()) + text(kind.encode()) + text(value) for n, kind, value in parameters) + END
    return message + END


class Pieces:
    """A connection on which the bytes arrive in pieces of given sizes, over and over; then the frontend is gone."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.calls = memoryview(data), sizes, 0

    def recv(self, most: int) -> bytes:
        size = min(most, self.sizes[self.calls % len(self.sizes)])
        self.calls += 1
        piece, self.data = bytes(self.data[:size]), self.data[size:]
        return piece

    def recv_into(self, buffer: memoryview) -> int:
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def typed(value: Any) -> Any:
    """A value with the type of each of its parts, and the order of its keys."""
    if isinstance(value, dict):
        return [(name, typed(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(part) for part in value]
    return type(value), value


def all_of(read: Callable[[], Any]) -> tuple[list[Any], str]:
    """Every message until the connection ends or does not hold a message, and how it ended."""
    found = []
    while True:
        try:
            found.append(typed(read()))
        except SystemExit as gone:
            return found, f"SystemExit {gone.code}"
        except (ValueError, struct.error) as error:
            return found, f"{type(error).__name__}: {error}"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Callable[[Any], Callable[[], Any]]]:
    """Upstream's reading of a connection, with bodies as they were sent."""
    from ts.protocol.otf_message_handler import retrieve_msg

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TS_DECODE_INPUT_REQUEST", "false")
        yield lambda connection: lambda: retrieve_msg(connection)


words = st.text(max_size=12)
octets = st.binary(max_size=60)
kinds = st.one_of(words, st.sampled_from(["application/json", "text/plain", ""]))
bodies = st.one_of(octets, st.sampled_from([b"", b'{"text": "good"}', b"[1,", b"\xff\xfe"]))
requests = st.tuples(
    octets, st.lists(st.tuples(octets, octets), max_size=4), st.lists(st.tuples(words, kinds, bodies), max_size=3)
)
numbers = st.integers(-(2**31), 2**31 - 1)
messages = st.one_of(
    st.builds(load, octets, octets, numbers, octets, numbers, octets, st.integers(0, 255)),
    st.lists(requests, max_size=6).map(lambda found: predict(*found)),
)
sizes = st.lists(st.one_of(st.integers(1, 9), st.integers(10, 5000)), min_size=1, max_size=8)

ONE = predict(
    (b"id-1", [(b"host", b""), (b"\x00\xff", b"x")], [("body", "application/json", b'{"text": "a"}'), ("\u00fc", "", b"")]),
    (b"", [], []),
)
LOADED = load(b"sentiment", b"/models", 8, b"handler.py", -1, b"", 1)


@settings(max_examples=150, deadline=None)
@given(st.lists(messages, min_size=1, max_size=5), sizes, sizes)
def test_what_is_read_is_what_upstream_reads(
    upstream: Callable[[Any], Callable[[], Any]], sent: list[bytes], some: list[int], others: list[int]
) -> None:
    data = b"".join(sent)
    expected = all_of(upstream(Pieces(data, some)))
    assert len(expected[0]) == len(sent)
    assert all_of(frames.Reader(Pieces(data, others)).message) == expected


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([b"I", b"L", b""]), st.lists(st.one_of(st.binary(max_size=6), st.sampled_from([END, text(b"x"), b"\0\0\0\0"]))))
def test_bytes_that_are_no_message_end_as_they_do_upstream(
    upstream: Callable[[Any], Callable[[], Any]], command: bytes, parts: list[bytes]
) -> None:
    data = command + b"".join(parts)
    assert all_of(frames.Reader(Pieces(data, [7])).message) == all_of(upstream(Pieces(data, [1000])))


@pytest.mark.parametrize("whole", [ONE, LOADED, LOADED + ONE + ONE], ids=["predict", "load", "three"])
def test_the_frontend_may_go_after_any_byte(upstream: Callable[[Any], Callable[[], Any]], whole: bytes) -> None:
    for end in range(len(whole)):
        found = all_of(frames.Reader(Pieces(whole[:end], [1 << 20])).message)
        assert found == all_of(upstream(Pieces(whole[:end], [1 << 20])))
        assert found[1] == "SystemExit 0"


def test_a_message_may_be_cut_at_any_byte() -> None:
    expected = all_of(frames.Reader(Pieces(ONE + LOADED, [1 << 20])).message)
    assert len(expected[0]) == 2
    for cut in range(1, len(ONE + LOADED)):
        assert all_of(frames.Reader(Pieces(ONE + LOADED, [cut, 1 << 20])).message) == expected


def test_a_command_that_is_none_is_refused_in_upstreams_words(upstream: Callable[[Any], Callable[[], Any]]) -> None:
    found = all_of(frames.Reader(Pieces(b"X" + ONE, [1 << 20])).message)
    assert found == ([], "ValueError: Invalid command: bytearray(b'X')")
    assert found == all_of(upstream(Pieces(b"X" + ONE, [1 << 20])))


def test_a_message_that_is_there_is_read_with_one_call(upstream: Callable[[Any], Callable[[], Any]]) -> None:
    batch = predict(*[(b"id", [(b"name", b"value")] * 8, [("body", "text/plain", b"good")])] * 32)
    quick, slow = Pieces(batch, [1 << 20]), Pieces(batch, [1 << 20])
    assert typed(frames.Reader(quick).message()) == typed(upstream(slow)())
    assert quick.calls == 1
    assert slow.calls > 1000


def test_what_came_with_a_message_needs_no_call_later() -> None:
    pieces = Pieces(LOADED + ONE + ONE, [1 << 20])
    reader = frames.Reader(pieces)
    first = typed(reader.message())
    later = [typed(reader.message()), typed(reader.message())]
    assert pieces.calls == 1
    assert first[1][0] == (bytearray, b"L")
    assert later[0] == later[1]


def test_a_message_larger_than_a_piece_comes_whole_over_a_real_socket(upstream: Callable[[Any], Callable[[], Any]]) -> None:
    body = os.urandom(3 * frames.PIECE + 5)
    data = predict((b"id", [], [("body", "application/octet-stream", body)]), (b"id-2", [], [("body", "", b"last")]))
    near, far = socket.socketpair()
    with near, far:
        sender = threading.Thread(target=lambda: (far.sendall(data + ONE), far.shutdown(socket.SHUT_WR)))
        sender.start()
        found = all_of(frames.Reader(near).message)
        sender.join()
    assert found == all_of(upstream(Pieces(data + ONE, [1 << 20])))
    assert found[1] == "SystemExit 0"


def test_what_was_read_stays_as_it_was() -> None:
    """A handler may keep its input: the buffer it was cut from is used again."""
    reader = frames.Reader(Pieces(ONE + predict((b"zz-9", [(b"HOST", b"Y")], [("q", "", b"other")])), [1 << 20]))
    first = reader.message()
    before = typed(first)
    reader.message()
    assert typed(first) == before
