"""Same question, same bytes; bounded; and no two different questions are one."""

from __future__ import annotations

import json
import random
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.cache import KEY_BYTES, Cache
from handlerkit.errors import RequestError
from handlerkit.requests import body_of, questions

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def key(body: str | bytes, field: str = "text") -> bytes | None:
    """The key of a body as a client sends it."""
    question = questions(body_of({"body": body.encode() if isinstance(body, str) else body}), field)
    return Cache.key(question.items, question.form)


def spelled(value: object, draw: random.Random) -> str:
    """The same JSON document with white space between its tokens and its objects' keys in some order."""
    space = lambda: draw.choice(["", " ", "\n", "\t  "])  # noqa: E731
    if isinstance(value, dict):
        pairs = list(value.items())
        draw.shuffle(pairs)
        inner = ",".join(f"{space()}{json.dumps(k)}{space()}:{space()}{spelled(v, draw)}{space()}" for k, v in pairs)
        return "{" + (inner or space()) + "}"
    if isinstance(value, list):
        return "[" + (",".join(f"{space()}{spelled(v, draw)}{space()}" for v in value) or space()) + "]"
    return json.dumps(value)


@given(VALUES, st.integers())
def test_white_space_and_the_order_of_keys_do_not_matter(value: object, seed: int) -> None:
    document = {"inputs": value, "id": 1}
    assert key(json.dumps(document), "inputs") == key(spelled(document, random.Random(seed)), "inputs")


@given(VALUES, VALUES)
def test_what_json_keeps_apart_has_different_keys(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (Cache.key([one], "single") == Cache.key([other], "single")) == same


@pytest.mark.parametrize(
    "bodies",
    [
        ['{"text": "good"}', '["good"]', '{"instances": ["good"]}'],
        ['{"text": "good"}', '{"text": "Good"}', '{"text": "good "}', '{"text": " good"}', '{"text": "good\\n"}'],
        ['{"text": "good  film"}', '{"text": "good film"}', '{"text": "goodfilm"}'],
        ['["a", "b"]', '["b", "a"]', '["a"]', '["a", "b", "b"]', '["a,b"]', '[["a", "b"]]'],
        ['{"text": 1}', '{"text": 1.0}', '{"text": true}', '{"text": "1"}', '{"text": null}', '{"text": "null"}'],
        ['{"text": 0.0}', '{"text": -0.0}', '{"text": NaN}', '{"text": "NaN"}', '{"text": Infinity}'],
        ['{"text": "\\u00fc"}', '{"text": "u\\u0308"}', '{"text": "\\ud800"}', '{"text": "\\\\ud800"}'],
        ['{"text": {"1": 2}}', '{"text": [["1", 2]]}'],
    ],
)
def test_different_questions_have_different_keys(bodies: list[str]) -> None:
    assert len({key(body) for body in bodies}) == len(bodies)
    assert None not in {key(body) for body in bodies}


def test_the_same_question_in_other_words_of_the_protocol_has_the_same_key() -> None:
    same = ['{"text": "a+b"}', '{"text" :\n"a\\u002bb"}', '{"id": 7, "text": "a+b"}', '"a+b"', "a+b", "text=a%2Bb"]
    assert len({key(body) for body in same}) == 1


def test_what_json_cannot_spell_has_no_key() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert Cache.key([b"bytes"], "single") is None
    assert Cache.key([{1: 2, "1": 2}], "single") is None
    assert Cache.key(deep, "single") is None


def test_a_refused_body_never_gets_as_far_as_a_key() -> None:
    with pytest.raises(RequestError):
        key('{"text": ')


def test_exactly_the_bytes_that_were_put_come_back_and_are_counted() -> None:
    cache = Cache(2, 1000)
    body = '{"label":"ü","latency_ms":1.25}'.encode()
    assert cache.get(b"a" * 32) is None
    cache.put(b"a" * 32, body)
    assert cache.get(b"a" * 32) is body
    assert (cache.hits, cache.misses, cache.evictions, cache.bytes, len(cache)) == (1, 1, 0, KEY_BYTES + len(body), 1)


def test_the_least_recently_used_one_goes_first() -> None:
    cache = Cache(2, 1000)
    cache.put(b"a", b"1")
    cache.put(b"b", b"2")
    cache.get(b"a")
    cache.put(b"c", b"3")
    assert [cache.get(k) for k in (b"a", b"b", b"c")] == [b"1", None, b"3"]
    assert cache.evictions == 1


def test_a_body_put_again_takes_the_place_of_the_one_before() -> None:
    cache = Cache(5, 1000)
    for body in (b"1" * 40, b"2" * 10):
        cache.put(b"a", body)
        assert (cache.get(b"a"), len(cache), cache.bytes, cache.evictions) == (body, 1, KEY_BYTES + len(body), 0)


def test_a_body_that_does_not_fit_displaces_nothing() -> None:
    cache = Cache(5, 100)
    cache.put(b"a", b"1" * 40)
    cache.put(b"b", b"2" * 69)
    assert (cache.get(b"a"), cache.get(b"b"), cache.evictions) == (b"1" * 40, None, 0)
    cache.put(b"b", b"2" * 68)
    assert (cache.get(b"a"), cache.get(b"b"), cache.evictions, cache.bytes) == (None, b"2" * 68, 1, 100)


def test_none_are_kept_by_a_cache_of_none() -> None:
    cache = Cache(0, 1000)
    cache.put(b"a", b"1")
    assert (cache.get(b"a"), len(cache), cache.bytes) == (None, 0, 0)


@pytest.mark.parametrize("bounds", [(-1, 1), (1, -1)])
def test_a_bound_below_none_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"is not possible; give 0 or more of each"):
        Cache(*bounds)


@given(
    st.integers(0, 4),
    st.integers(0, 4 * KEY_BYTES),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.binary(max_size=40)), max_size=60),
)
def test_it_is_a_bounded_table_in_order_of_use(items: int, most_bytes: int, steps: list[tuple[str, bytes | None]]) -> None:
    """Against a table written the slow way: bounds hold after every step, and what is kept is what was put."""
    cache, model, asked = Cache(items, most_bytes), OrderedDict[bytes, bytes](), 0
    for letter, body in steps:
        name = letter.encode() * KEY_BYTES
        if body is None:
            asked += 1
            assert cache.get(name) == model.get(name)
            if name in model:
                model.move_to_end(name)
        else:
            cache.put(name, body)
            if items and KEY_BYTES + len(body) <= most_bytes:
                model.pop(name, None)
                model[name] = body
                while len(model) > items or sum(KEY_BYTES + len(b) for b in model.values()) > most_bytes:
                    model.popitem(last=False)
        assert cache.bytes == sum(KEY_BYTES + len(b) for b in model.values()) <= most_bytes
        assert len(cache) == len(model) <= items
    assert cache.hits + cache.misses == asked
