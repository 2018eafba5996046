"""A kept answer is the very bytes that were computed; errors are computed each time; twins of a batch once."""

from __future__ import annotations

import json

import pytest

from handlerkit.cache import Cache
from handlerkit.serving import CACHE_BYTES

from .conftest import FakeContext, manifest, unpack


class Counting:
    """A backend that says how many texts it was given."""

    def __init__(self, backend) -> None:
        self.backend, self.rows = backend, 0

    def run(self, inputs):
        self.rows += len(inputs["input_ids"])
        return self.backend.run(inputs)


@pytest.fixture
def cached(classifier):
    classifier.cache = Cache(10, CACHE_BYTES)
    classifier.backend = Counting(classifier.backend)
    return classifier


def handle(handler, *bodies):
    context = FakeContext()
    answers = handler.handle([{"body": b} for b in bodies], context)
    assert all(context.headers[i]["content-type"] == "application/json" for i in range(len(bodies)))
    return [(context.code(i), body) for i, body in enumerate(answers)]


def test_the_same_question_is_answered_by_the_same_bytes_and_not_computed_again(cached):
    first = handle(cached, b'{"text": "good film"}')
    second = handle(cached, b'{ "id": 1, "text":"good film" }')
    assert first == second
    assert (cached.backend.rows, cached.cache.hits, cached.cache.misses) == (1, 1, 1)
    assert handle(cached, b'["good film"]') != first
    assert cached.backend.rows == 2


def test_twins_of_one_batch_are_computed_once_and_the_others_keep_their_places(cached):
    found = handle(cached, b"good", b'{"text": "bad"}', b'{"text": "good"}', b'["good"]', b"good", b"bad film")
    assert [code for code, _ in found] == [200] * 6
    assert found[0] == found[2] == found[4]
    labels = [json.loads(body) for _, body in found]
    assert [a["label"] for a in (*labels[:3], labels[3][0], *labels[4:])] == [
        "positive", "negative", "positive", "positive", "positive", "negative",
    ]
    assert cached.backend.rows == 4


@pytest.mark.parametrize("text", ["boom", "inf"])
def test_what_failed_is_asked_again_and_its_twins_fail_alike(cached, text):
    body = json.dumps({"text": text}).encode()
    first = handle(cached, body, b"good", body)
    assert [code for code, _ in first] == [500, 200, 500]
    assert first[0] == first[2]
    rows = cached.backend.rows
    assert handle(cached, body) == [first[0]]
    assert cached.backend.rows > rows
    assert len(cached.cache) == 1


def test_what_cannot_be_read_is_neither_kept_nor_counted(cached):
    found = handle(cached, b"", b'{"text": ', b'{"text": null}', b'{"text": null}')
    assert [code for code, _ in found] == [400] * 4
    assert (len(cached.cache), cached.cache.hits) == (0, 0)


def test_it_is_off_unless_it_is_asked_for(tmp_path, monkeypatch):
    from text_classification import TextClassification

    unpack(tmp_path, manifest())
    handler = TextClassification()
    handler.load(tmp_path)
    assert handler.cache is None
    assert [code for code, _ in handle(handler, b"good", b"good")] == [200, 200]
    monkeypatch.setenv("MARLINE_CACHE_ITEMS", "3")
    handler.load(tmp_path)
    assert handle(handler, b"good") == handle(handler, b"good")
