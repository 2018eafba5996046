"""What a real Envoy with the front's configuration lets through, and how it answers the rest."""

from __future__ import annotations

import asyncio
import http.client
import time
from types import SimpleNamespace
from typing import Any

import pytest

from agent.envoy import PREDICT, Front, running, settings
from agent.upstream import Upstream, answers, dies
from agent.waiting import until
from marline.agent import drain, watch
from marline.agent.addresses import has_ipv6

FULL = "/predictions/toy.model/1.0.0-onnx-int8"
# a wait, a computation, and both again: twice the server's 30 s and 15 s
LONGEST_S = 90


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        (PREDICT, PREDICT),
        (FULL, FULL),
        ("/invocations", "/invocations"),
        ("/v1/models/toy.model:predict", "/v1/models/toy.model:predict"),
        ("/v2/models/toy.model/infer", "/v2/models/toy.model/infer"),
        # without a gateway, the names of the endpoint and of its variant work as well
        ("/variants/blue/predictions/toy.model", FULL),
        ("/variants/onnx-int8/predictions/toy.model", FULL),
        ("/variants/blue/invocations", FULL),
        ("/invocations/toy.model/blue", FULL),
        ("/invocations/toy.model/onnx-int8", FULL),
        (f"{PREDICT}?top=2&x=%2F", f"{PREDICT}?top=2&x=%2F"),
        ("/invocations/toy.model/blue?top=2", f"{FULL}?top=2"),
        # the server sees what was decided about
        ("//predictions///toy.model?x=//", f"{PREDICT}?x=//"),
        ("/models/../predictions/./toy.model", PREDICT),
        ("/predictions/toy%2emodel", PREDICT),
    ],
)  # fmt: skip
def test_a_path_of_inference_passes(front: Front, server: Upstream, path: str, reached: str) -> None:
    answer = front.ask(path, b'{"text": "good"}')
    assert (answer.status, answer.document) == (200, {"answer": "fine"})
    assert [(a.method, a.path, a.body) for a in server.arrived] == [("POST", reached, b'{"text": "good"}')]


@pytest.mark.parametrize(
    "path",
    [
        "/", "/models", "/models/toy.model", "/models/toy.model/1.0.0/set-default", "/metrics", "/api-description",
        "/workflows", "/wfpredict/x", "/explanations/toy.model", "/models/toy.model/invoke", "/toy.model/predict",
        "/predictions", "/predictions/", "/predictions/other", "/predictions/toy-model", "/predictions/toy.model/",
        "/predictions/toy.model/1.0.0", f"{FULL}/more", f"{PREDICT}x", "/Predictions/toy.model", f"{PREDICT};x=1",
        "/v1/models/toy.model", "/v1/models", "/v1/models/other:predict", "/v2/health/ready", "/v2/models/toy.model",
        "/v2/models/toy.model/versions/1.0.0/infer", "/v2/models/toy.model/infer/", "/invocations/toy.model",
        "/invocations/toy.model/green", "/invocations/other/blue", "/variants/green/predictions/toy.model",
        "/variants/blue/predictions/other", "/variants/blue/models", "/variants/blue", "/ping/", "/ready", "/drain",
        "/live/server", "/stats", "/healthcheck/fail", "//models", "/predictions/../models", "/predictions/%2e%2e/models",
        f"{PREDICT}/../../models", "/models?url=/predictions/toy.model", f"/x{PREDICT}", "/predictions/toy.model%00", "/%6dodels",
        "/predictions/toy.model%20", "*",
    ],
)  # fmt: skip
def test_every_other_path_is_not_there(front: Front, server: Upstream, path: str) -> None:
    answer = front.ask(path)
    assert answer.status in (400, 404) if "%00" in path or path == "*" else answer.status == 404
    assert server.arrived == server.asked_agent == []


@pytest.mark.parametrize("path", ["/predictions%2Ftoy.model", "/predictions%2ftoy.model", "/predictions%5Ctoy.model", "/..%2Fmodels"])
def test_an_escaped_slash_is_refused(front: Front, server: Upstream, path: str) -> None:
    assert front.ask(path).status == 400
    assert server.arrived == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_no_method_opens_a_path(front: Front, server: Upstream, method: str) -> None:
    assert front.ask("/models", None, method).status == 404
    assert server.arrived == []


def test_the_absence_of_a_path_is_told_as_json_and_before_the_body(front: Front, server: Upstream) -> None:
    assert front.ask("/models").document == {"code": 404, "error": "No such path."}
    connection = front.connect()
    connection.sendall(b"POST /models HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{")
    assert connection.recv(100).startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize(
    "line",
    [b"CONNECT 127.0.0.1:8081", b"CONNECT /predictions/toy.model", b"GET http://127.0.0.1:8081/models", b"TRACE /models"],
)
def test_it_is_no_proxy(front: Front, server: Upstream, line: bytes) -> None:
    connection = front.connect()
    connection.sendall(line + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert connection.recv(12) in (b"HTTP/1.1 404", b"HTTP/1.1 403", b"HTTP/1.1 400")
    assert server.arrived == []


def test_no_connection_is_handed_over(front: Front, server: Upstream) -> None:
    head = f"GET {PREDICT} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert front.raw(head.encode()).startswith(b"HTTP/1.1 403 ")
    assert server.arrived == []


def test_ping_is_what_the_agent_says(front: Front, server: Upstream) -> None:
    server.agent = answers(200, body=b'{"ready": true, "reason": ""}')
    assert (front.ask("/ping", None, "GET").status, server.asked_agent[0].path) == (200, "/ready")
    server.agent = answers(503, body=b'{"ready": false, "reason": "no worker"}')
    answer = front.ask("/ping", None, "GET")
    assert (answer.status, answer.document["reason"]) == (503, "no worker")
    assert server.arrived == []


@pytest.mark.skipif(not has_ipv6(), reason="this kernel has no IPv6")
def test_it_listens_on_both_kinds_of_address(front: Front) -> None:
    for host in ("127.0.0.1", "::1"):
        connection = http.client.HTTPConnection(host, front.port, timeout=30)
        assert front.on(connection, PREDICT, b"{}").status == 200
        connection.close()


def test_a_full_server_is_told_from_the_front_with_the_time_to_come_back(front: Front, server: Upstream) -> None:
    server.answer = server.hold
    accepted = [front.connect() for _ in range(8)]
    for connection in accepted:
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}".encode())
    until(lambda: server.active == 8, "as many as the server holds have reached it")
    answer = front.ask()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.document == {"code": 503, "error": "The queue is full; ask again after the seconds that Retry-After names."}
    assert len(server.arrived) == 8
    server.release()
    assert [connection.recv(15) for connection in accepted] == [b"HTTP/1.1 200 OK"] * 8


def test_a_refusal_of_the_server_itself_says_when_to_come_back(front: Front, server: Upstream) -> None:
    server.answer = answers(503, body=b'{"code": 503}')
    assert front.ask().headers["retry-after"] == "1"
    server.answer = answers(503, {"retry-after": "7"})
    assert front.ask().headers["retry-after"] == "7"
    server.answer = answers(429)
    assert "retry-after" not in front.ask().headers
    assert len(server.arrived) == 3


def test_a_server_that_does_not_listen_is_a_clean_503() -> None:
    with running(SimpleNamespace(port=1, agent_port=1), settings()) as front:  # type: ignore[arg-type]
        answer, ping = front.ask(), front.ask("/ping", None, "GET")
    assert (answer.status, ping.status) == (503, 503)
    assert answer.headers["retry-after"] == "1"
    assert answer.document["code"] == 503


def test_no_more_connections_than_allowed_and_those_keep_what_they_were_promised(server: Upstream) -> None:
    with running(server, settings(front={"max_connections": 3})) as front:
        kept = [http.client.HTTPConnection("127.0.0.1", front.port, timeout=30) for _ in range(3)]
        assert [front.on(connection, PREDICT, b"{}").status for connection in kept] == [200] * 3
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            front.ask()
        # its own connections, of the administration and of retries, are not counted
        assert front.admin("/ready") == b"LIVE\n"
        server.answer = dies(1)
        assert front.on(kept[0], PREDICT, b"{}", x_case="a").status == 200
        for connection in kept:
            connection.close()
        until(lambda: _asked(front), "a place is free again")


def _asked(front: Front) -> bool:
    try:
        return front.ask().status == 200
    except (http.client.HTTPException, OSError):
        return False


def test_when_it_drains_each_answer_sends_its_client_away(server: Upstream) -> None:
    with running(server, settings()) as front:
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)
        assert "connection" not in front.on(connection, PREDICT, b"{}").headers
        assert front.admin("/healthcheck/fail", "POST") == b"OK\n"
        answer = front.on(connection, PREDICT, b"{}")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        fresh = front.ask()
        assert (fresh.status, fresh.headers["connection"]) == (200, "close")
        connection.close()


def test_what_is_counted_is_what_watch_and_drain_read(server: Upstream) -> None:
    def stats(pattern: str) -> dict[str, int]:
        return asyncio.run(watch.front_stats(front.places.admin, pattern))

    with running(server, settings()) as front:
        server.answer = server.hold
        connection = front.connect()
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        until(lambda: server.active == 1, "it has reached the server")
        assert stats(drain.ACTIVE) == {"http.ingress.downstream_rq_active": 1, "cluster.server.upstream_rq_active": 1}
        assert stats(f"^{watch.REQUESTS}$") == {watch.REQUESTS: 1}
        server.release()
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        until(lambda: set(stats(drain.ACTIVE).values()) == {0}, "nothing is active")
        assert stats(f"^{watch.ANSWERS}$") == {watch.ANSWERS: 1}


def test_each_request_is_one_line_of_json_in_the_log(server: Upstream) -> None:
    with running(server, settings(front={"max_body_bytes": 10})) as front:
        front.ask(f'{PREDICT}?x="\\', x_request_id="abc")
        front.ask("/invocations/toy.model/blue")
        front.ask("/models")
        front.ask(PREDICT, b"x" * 11)
        front.raw(b"nonsense\r\n\r\n")
        lines: list[dict[str, Any]] = front.stop()
    assert [(line["status"], line["path"]) for line in lines] == [
        (200, f'{PREDICT}?x="\\'),
        (200, "/invocations/toy.model/blue"),
        (404, "/models"),
        (413, PREDICT),
        (400, None),
    ]
    first = lines[0]
    assert (first["request_id"], first["endpoint"]) == ("abc", "blue")
    assert (first["method"], first["attempts"], first["bytes_received"], first["flags"]) == ("POST", 1, 2, "-")
    assert set(first) == {
        "time", "method", "path", "status", "flags", "duration_ms", "bytes_received", "bytes_sent", "attempts", "request_id",
        "endpoint",
    }  # fmt: skip


@pytest.mark.parametrize("wanted", [None, "", "soon", "-5", "nan", "1e9"])
def test_the_front_says_until_when_an_answer_is_waited_for(front: Front, server: Upstream, wanted: str | None) -> None:
    before = time.time()
    headers = {"x_request_deadline": "1"} | ({} if wanted is None else {"x_request_timeout_ms": wanted})
    assert front.ask(**headers).status == 200
    deadline = float(server.arrived[0].headers["x-request-deadline"]) / 1000
    assert before + LONGEST_S - 1 <= deadline <= time.time() + LONGEST_S


def test_a_client_that_waits_less_is_believed(front: Front, server: Upstream) -> None:
    before = time.time()
    assert front.ask(x_request_timeout_ms="1500").status == 200
    deadline = float(server.arrived[0].headers["x-request-deadline"]) / 1000
    assert before + 0.5 <= deadline <= time.time() + 1.5
