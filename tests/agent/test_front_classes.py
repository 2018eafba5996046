"""The front counts answers by predicted class, and their times in fine steps, in a real Envoy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from agent.envoy import MANIFEST, PREDICT, Front, rest, running, settings
from agent.upstream import Answer, Arrived, Upstream, answers
from agent.waiting import until
from marline.agent.classes import LARGEST_BYTES
from marline.agent.latency import BOUNDS_MS
from marline.agent.watch import front_stats

ODD = ("very good", "a.b", "ü", 'a "quoted" one', "back\\slash", "ends in \\", "two\nlines", ".x..y", "label", "http.x_rq_200", "]")
CLASSES = ("negative", "positive", *ODD)
CLASSIFIER = replace(MANIFEST, task="text-classification", labels=CLASSES)


@pytest.fixture(scope="module")
def shared_front(shared_server: Upstream) -> Iterator[Front]:
    """That of a classifier; no test of this file may make its script fail, which no client would see."""
    with running(shared_server, settings(), CLASSIFIER) as made:
        yield made
        assert failures(made) == 0, (made.log.parent / "err").read_text()


def failures(front: Front) -> int:
    """Scripts of the front that ended with an error."""
    seen = asyncio.run(front_stats(front.places.admin, r"^http\.ingress\.lua\.(errors|executions)$"))
    assert seen["http.ingress.lua.executions"] > 0
    return seen["http.ingress.lua.errors"]


def said(label: str) -> dict[str, Any]:
    """What the handler answers for one text."""
    return {"label": label, "confidence": 0.9, "scores": dict.fromkeys(CLASSES, 0.1), "tokens": 3, "truncated": False}


def told(document: Any, ensure_ascii: bool = True) -> Answer:
    """Written as TorchServe writes it."""
    return answers(200, {"content-type": "application/json"}, json.dumps(document, indent=2, ensure_ascii=ensure_ascii).encode())


def samples(front: Front, name: str) -> dict[tuple[str, str], float]:
    """Values of one metric by (class or bound, listener), as Prometheus reads them."""
    text = front.admin("/stats/prometheus?usedonly").decode()
    return {
        (sample.labels.get("class") or sample.labels.get("le", ""), sample.labels["envoy_http_conn_manager_prefix"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and "envoy_http_conn_manager_prefix" in sample.labels
    }


def counted(front: Front) -> dict[str, float]:
    """Answers by class."""
    found = samples(front, "envoy_http_lua_answers_total")
    assert {manager for _, manager in found} <= {"ingress"}
    return {name: value for (name, _), value in found.items()}


def grown(front: Front, before: dict[str, float]) -> dict[str, float]:
    """By how much each class has grown."""
    return {name: value - before.get(name, 0) for name, value in counted(front).items() if value != before.get(name, 0)}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_an_answer_is_counted_by_its_class_and_passes_unchanged(
    front: Front, server: Upstream, name: str, ensure_ascii: bool
) -> None:
    server.answer, before = told(said(name), ensure_ascii), counted(front)
    assert front.ask().document == said(name)
    assert grown(front, before) == {name: 1}


@pytest.mark.parametrize("shape", [lambda items: items, lambda items: {"predictions": items}])
def test_each_item_of_a_batch_counts(front: Front, server: Upstream, shape: Any) -> None:
    items = [said("positive"), {"code": 400, "error": "no text"}, said("negative"), said("positive"), said("label")]
    server.answer, before = told(shape(items)), counted(front)
    assert front.ask().document == shape(items)
    assert grown(front, before) == {"positive": 2, "negative": 1, "label": 1}


@pytest.mark.parametrize("path", [PREDICT, "/invocations", "/variants/blue/invocations", "/v1/models/toy.model:predict"])
def test_every_path_of_inference_counts(front: Front, server: Upstream, path: str) -> None:
    server.answer, before = told(said("positive")), counted(front)
    front.ask(path)
    assert grown(front, before) == {"positive": 1}


def test_a_class_that_the_archive_does_not_have_makes_no_counter(front: Front, server: Upstream) -> None:
    document = [said("neutral"), said("posit"), {"label": 7}, {"label": None}, {"other": "positive"}, {"text": '"label": "positive"'}]
    server.answer, before = told([*document, said("positive")]), counted(front)
    front.ask()
    assert grown(front, before) == {"positive": 1}


@pytest.mark.parametrize("status", [201, 400, 500, 503])
def test_only_an_answer_of_the_model_counts(front: Front, server: Upstream, status: int) -> None:
    server.answer, before = answers(status, {"x-marline-error": "1"}, json.dumps(said("positive")).encode()), counted(front)
    assert front.ask().status == status
    assert grown(front, before) == {}


def test_an_answer_after_a_death_counts_once(front: Front, server: Upstream) -> None:
    async def dies_once(arrived: Arrived) -> web.StreamResponse:
        if arrived.number == 1:
            return web.json_response(said("negative"), status=500)
        return web.json_response(said("positive"))

    server.answer, before = dies_once, counted(front)
    assert (front.ask(x_case="once").status, len(server.arrived)) == (200, 2)
    assert grown(front, before) == {"positive": 1}


def test_an_answer_in_pieces_counts_wherever_it_is_cut_and_is_not_held_back(front: Front, server: Upstream) -> None:
    body = json.dumps([{"label": "negative"}, {"label": "ends in \\"}, {"label": 0.5}, {"label": "positive"}]).encode()
    for cut in range(1, len(body)):
        server.reset()
        server.answer, before = in_pieces(server, body[:cut], body[cut:]), counted(front)
        connection = front.connect()
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        got = b""
        while not got.endswith(b"\r\n\r\n" + body[:cut]):
            block = connection.recv(65536)
            assert block, got
            got += block
        server.release()
        assert rest(connection, b"") == body[cut:]
        assert grown(front, before) == {"negative": 1, "ends in \\": 1, "positive": 1}, cut


def in_pieces(server: Upstream, first: bytes, second: bytes) -> Answer:
    """The second piece follows when the server is released."""

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        await server._held.wait()
        yield second

    async def answer(arrived: Arrived) -> web.StreamResponse:
        return web.Response(body=pieces(), headers={"content-length": str(len(first + second))})

    return answer


def test_a_large_answer_is_read_up_to_the_limit_and_passes_above_it(front: Front, server: Upstream) -> None:
    batch = [said("positive")] * 1000
    filler = LARGEST_BYTES - len(json.dumps(batch, indent=2).encode())
    assert filler > 0
    for more, expected in ((0, {"positive": 1000}), (1, {})):
        body = json.dumps(batch, indent=2).encode() + b" " * (filler + more)
        server.answer, before = answers(200, body=body), counted(front)
        assert front.ask().body == body
        assert grown(front, before) == expected


def test_an_answer_of_unknown_length_passes_uncounted(front: Front, server: Upstream) -> None:
    async def chunked(arrived: Arrived) -> web.StreamResponse:
        answer = web.json_response(said("positive"))
        answer.enable_chunked_encoding()
        return answer

    server.answer, before = chunked, counted(front)
    answer = front.ask()
    assert ("content-length" in answer.headers, answer.document) == (False, said("positive"))
    assert grown(front, before) == {}


def test_the_times_of_answers_have_fine_bounds_and_nothing_else_has(front: Front, server: Upstream) -> None:
    front.ask()
    # a histogram is written out every few seconds
    until(lambda: samples(front, "envoy_http_downstream_rq_time_bucket"), "times of answers")
    found = samples(front, "envoy_http_downstream_rq_time_bucket")
    assert [float(bound) for bound, manager in found if manager == "ingress"] == [*BOUNDS_MS, float("inf")]
    text = front.admin("/stats/prometheus").decode()
    others = {line.split("{")[0] for line in text.splitlines() if 'le="1.4"' in line and 'prefix="ingress"' not in line}
    assert others == set()


def test_a_model_without_labels_has_no_counters(server: Upstream) -> None:
    server.answer = told(said("positive"))
    with running(server, settings()) as front:
        assert front.ask().status == 200
        assert (counted(front), failures(front)) == ({}, 0)
