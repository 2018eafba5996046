from __future__ import annotations

import json
import time

import pytest

from handlerkit.deadline import expired

from .conftest import FakeContext


def ms(seconds: float) -> str:
    return str(1000 * (time.time() + seconds))


def test_what_has_expired_is_refused_and_the_rest_is_not():
    assert expired(None) is None
    assert expired(ms(60)) is None
    assert expired({"content-type": "text/plain"}) is None
    refused = expired(ms(-5))
    assert refused is not None
    assert refused.status == 408
    assert "The deadline passed 5" in refused.message


@pytest.mark.parametrize("header", ["", "tomorrow", "12:30"])
def test_a_deadline_that_is_no_number_is_named(header):
    refused = expired(header)
    assert refused is not None
    assert (refused.status, refused.message[:19]) == (400, "x-request-deadline ")


@pytest.mark.parametrize("name", ["x-request-deadline", "X-Request-Deadline"])
def test_nothing_is_computed_for_an_expired_request_and_its_neighbours_are_answered(classifier, name):
    handler = classifier
    computed = []
    prepare = handler.prepare

    def counting(items):
        computed.extend(items)
        return prepare(items)

    handler.prepare = counting
    context = FakeContext()
    context.asked[1] = {name: ms(-1)}
    first, late, last = handler.handle([{"body": b"good"}, {"body": b"late"}, {"body": b"good"}], context)
    assert computed == ["good", "good"]
    assert context.code(1) == 408
    assert context.headers[1]["x-marline-error"] == "deadline"
    assert json.loads(late)["code"] == 408
    assert [context.code(0), context.code(2)] == [200, 200]
    assert json.loads(first)["label"] == json.loads(last)["label"]
