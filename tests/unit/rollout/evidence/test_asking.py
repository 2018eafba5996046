"""One question to Prometheus: the answer, or a phrase; only a wrong address is an error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from marline.errors import ServeError
from marline.rollout.evidence import asking
from marline.rollout.evidence.asking import Unanswered, ask, checked
from unit.rollout.evidence.served import Api

GOOD = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'


def reason(address: str, timeout_s: float = 5.0) -> str:
    with pytest.raises(Unanswered) as caught:
        ask(address, {"query": "up"}, timeout_s)
    return str(caught.value)


@contextmanager
def raw(act: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that does what HTTP does not provide for, with one connection."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                act(connection, over)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def test_the_query_is_a_form_below_the_addresss_path(prometheus: Api) -> None:
    prometheus.reply = lambda _: (200, GOOD)
    query = "x{pod=~" + "|".join(f"pod-{n}" for n in range(5000)) + "}"
    assert ask(f"{prometheus.url}/behind/", {"query": query, "time": "7"}, 5)["status"] == "success"
    assert prometheus.asked == [("/behind/api/v1/query", {"query": query, "time": "7"})]


def test_no_proxy_is_asked(prometheus: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    prometheus.reply = lambda _: (200, GOOD)
    assert ask(prometheus.url, {"query": "up"}, 5)["status"] == "success"


def test_a_refusal_is_told_in_prometheus_own_words(prometheus: Api) -> None:
    prometheus.reply = lambda _: (422, b'{"status": "error", "errorType": "execution", "error": "query  timed\\n out"}')
    assert reason(prometheus.url) == "answers 422: query timed out"


def test_an_error_with_status_200_is_one(prometheus: Api) -> None:
    prometheus.reply = lambda _: (200, b'{"status": "error", "error": "no store"}')
    assert reason(prometheus.url) == "answers 200: no store"


@pytest.mark.parametrize("body", [b"<html>a gateway's page</html>", b"[]", b"", b"\xff", b"{}", b"[" * 100_000])
def test_what_is_not_prometheus_is_said(prometheus: Api, body: bytes) -> None:
    prometheus.reply = lambda _: (503, body)
    assert reason(prometheus.url).startswith("answers 503, and not as Prometheus does: ")
    assert len(reason(prometheus.url)) < 300


def test_a_redirect_is_not_followed(prometheus: Api) -> None:
    prometheus.location, prometheus.reply = f"{prometheus.url}/login", lambda _: (302, b"")
    assert reason(prometheus.url).startswith("answers 302")
    assert len(prometheus.asked) == 1


def test_a_server_that_hangs_up(prometheus: Api) -> None:
    prometheus.reply = lambda _: (0, b"")
    assert reason(prometheus.url).startswith("cannot be asked: ")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert reason(address).startswith("cannot be asked: [Errno 111]")


def test_silence_ends_with_the_time() -> None:
    with raw(lambda connection, over: over.wait(30) and None) as address:
        assert reason(address, 0.1) == "cannot be asked: timed out"


def test_an_answer_that_never_ends_does_too() -> None:
    def trickle(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        for _ in range(1000):
            if over.wait(0.02):
                return
            try:
                connection.sendall(b" ")
            except OSError:
                return

    with raw(trickle) as address:
        assert reason(address, 0.2) == "cannot be asked: no whole answer in 0.2 s"


def test_half_an_answer_is_none() -> None:
    with raw(
        lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n" + GOOD)
    ) as address:
        assert reason(address).startswith("cannot be asked: IncompleteRead")


def test_no_http_at_all() -> None:
    with raw(lambda connection, _: connection.sendall(b"220 mail\r\n")) as address:
        assert reason(address).startswith("cannot be asked: ")


def test_an_answer_too_large(prometheus: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWER_BYTES", 10)
    prometheus.reply = lambda _: (200, GOOD)
    assert reason(prometheus.url) == "answers more than 10 bytes"


@pytest.mark.parametrize(
    "address",
    ["", "prometheus:9090", "ftp://prometheus", "http://", "http://a:0", "http://a:b", "http://a b", "http://a/?tenant=1", "http://a/#x",
     "http://a\n", "http://" + "a" * 70, "http://prométheus"],
)  # fmt: skip
def test_a_wrong_address_is_an_error(address: str) -> None:
    with pytest.raises(ServeError) as caught:
        checked(address)
    assert (
        str(caught.value)
        == f"{address!r} is no address of Prometheus; write one such as http://prometheus.monitoring:9090"
    )


def test_credentials_are_refused_and_not_repeated() -> None:
    with pytest.raises(ServeError, match="credentials in the address of Prometheus") as caught:
        checked("https://me:secret@prometheus:9090")
    assert "secret" not in str(caught.value)
