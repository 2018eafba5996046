"""Paths, bodies, refusals and health, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import FastAPI

from marline.serve.fastapi.archives import Answer, Asked
from marline.serve.fastapi.batching import Batcher, Busy
from marline.serve.fastapi.service import MOST_BYTES, row, service

Reply = tuple[int, dict[str, str], bytes]
FIRST, SECOND, OTHER = ("toy", "1.0.0-a"), ("toy", "1.0.0-b"), ("other", "2.0.0-a")


async def ask(app: FastAPI, method: str, path: str, *parts: bytes, headers: dict[str, str] | None = None) -> Reply:
    """One request as an ASGI server hands it over, its body in parts."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
    }  # fmt: skip
    left, sent = list(parts or (b"",)), []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, body


class Echo:
    """A model that answers what arrived, or raises; ``asked`` is everything it was given."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error = name, error
        self.asked: list[Asked] = []

    async def __call__(self, batch: Sequence[Asked]) -> list[Answer]:
        self.asked += batch
        if self.error is not None:
            raise self.error
        return [Answer(200, {"content-type": "application/json", "x-from": self.name}, a.row.get("body", b"?")) for a in batch]


class World:
    def __init__(self, unready: str = "") -> None:
        self.echoes = {name: Echo("/".join(name)) for name in (FIRST, SECOND, OTHER)}
        self.models = {n: Batcher[Asked, Answer](e, size=4, delay_s=0, most=2, patience_s=60) for n, e in self.echoes.items()}
        self.unready = unready
        self.app = service(self.models, FIRST, lambda: self.unready)

    def __call__(self, method: str, path: str, *parts: bytes, **headers: str) -> Reply:
        return asyncio.run(ask(self.app, method, path, *parts, headers={k.replace("_", "-"): v for k, v in headers.items()}))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/predict", FIRST),
        ("/predictions/toy", FIRST),
        ("/predictions/toy/1.0.0-a", FIRST),
        ("/predictions/toy/1.0.0-b", SECOND),
        ("/predictions/other", OTHER),
        ("/predictions/other/2.0.0-a", OTHER),
    ],
)
def test_every_path_reaches_its_model_with_the_whole_body(path: str, name: tuple[str, str]) -> None:
    world = World()
    status, headers, body = world("POST", path, b'{"text": ', b'"a"}', x_own="1")
    assert (status, headers["x-from"], body) == (200, "/".join(name), b'{"text": "a"}')
    assert headers["content-type"] == "application/json"
    (asked,) = world.echoes[name].asked
    assert asked.headers["x-own"] == "1"


def refused(reply: Reply, status: int, kind: str) -> str:
    """The sentence of a refusal, which has the form of every refusal."""
    document = json.loads(reply[2])
    assert (reply[0], document["code"], reply[1]["x-marline-error"]) == (status, status, kind)
    assert reply[1]["content-type"] == "application/json"
    assert set(document) == {"code", "error"}
    return str(document["error"])


def test_what_is_not_served_is_named() -> None:
    world = World()
    known = "served: toy/1.0.0-a, toy/1.0.0-b, other/2.0.0-a."
    assert refused(world("POST", "/predictions/nobody", b"a"), 404, "request") == f"nobody is not served here; {known}"
    assert refused(world("POST", "/predictions/toy/9", b"a"), 404, "request") == f"toy/9 is not served here; {known}"
    assert refused(world("POST", "/elsewhere", b"a"), 404, "request") == "POST /elsewhere: Not Found."
    reply = world("GET", "/predict")
    assert refused(reply, 405, "request") == "GET /predict: Method Not Allowed."
    assert reply[1]["allow"] == "POST"


def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end() -> None:
    world = World()
    half = b"a" * (MOST_BYTES // 2)
    assert world("POST", "/predict", half, half)[0] == 200
    reply = world("POST", "/predict", half, half, b"a", b"not read")
    assert refused(reply, 413, "request") == f"The body has more than {MOST_BYTES} bytes."
    assert reply[1]["connection"] == "close"
    assert len(world.echoes[FIRST].asked) == 1


def test_whatever_a_handler_raises_is_a_500_of_ours() -> None:
    world = World()
    world.echoes[FIRST].error = KeyError("secret")
    assert refused(world("POST", "/predict", b"a"), 500, "model") == "The model failed on this batch: KeyError."


def test_a_full_queue_says_when_to_come_back() -> None:
    world = World()

    async def full(question: Asked) -> Answer:
        raise Busy("The queue of 2 requests is full; ask again in 7 s, or add capacity.", 7)

    world.models[FIRST].ask = full  # type: ignore[method-assign]
    reply = world("POST", "/predict", b"a")
    assert refused(reply, 503, "queue") == "The queue of 2 requests is full; ask again in 7 s, or add capacity."
    assert reply[1]["retry-after"] == "7"


def test_health_is_what_the_processes_say() -> None:
    world = World("1 of 2 processes are ready")
    reply = world("GET", "/health")
    assert refused(reply, 503, "queue") == "Not ready: 1 of 2 processes are ready."
    assert reply[1]["retry-after"] == "1"
    world.unready = ""
    status, headers, body = world("GET", "/health")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {
        "status": "ready",
        "models": [{"model": m, "version": v} for m, v in (FIRST, SECOND, OTHER)],
    }


def test_before_it_has_loaded_nothing_is_unknown_yet() -> None:
    world = World("0 of 2 processes are ready")
    world.models.clear()
    for path in ("/predict", "/predictions/nobody"):
        reply = world("POST", path, b"a")
        assert refused(reply, 503, "queue") == "Not ready: 0 of 2 processes are ready."
        assert reply[1]["retry-after"] == "1"


MULTIPART = '--x\r\nContent-Disposition: form-data; name="{}"\r\n{}\r\n{}\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        (b"a & b", "text/plain", {"body": b"a & b"}),
        (b"text=a+b", "application/x-www-form-urlencoded", {"body": b"text=a+b"}),
        (b"\xff\x00", "application/octet-stream", {"body": b"\xff\x00"}),
        (b"", "application/json", {"body": b""}),
        (MULTIPART.format("data", "", "ü & 1").encode(), "multipart/form-data; boundary=x", {"data": "ü & 1".encode()}),
        (MULTIPART.format("text", "Content-Type: text/plain\r\n", "a").encode(), 'Multipart/Form-Data; boundary="x"', {"text": b"a"}),
        (b"no boundary", "multipart/form-data; boundary=x", {}),
    ],
)
def test_a_row_is_the_body_as_it_came_or_the_fields_of_a_multipart_form(body: bytes, kind: str, wanted: dict[str, bytes]) -> None:
    assert row(body, {"content-type": kind}) == wanted
