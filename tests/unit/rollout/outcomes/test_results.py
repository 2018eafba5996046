"""What became of requests, from lines."""

from __future__ import annotations

import pytest

from marline.errors import SourceError
from marline.rollout.outcomes import results


def read(*lines: bytes):
    return list(results.read(enumerate(lines, 1), "file"))


def test_values_come_in_their_order_and_other_keys_are_left_alone():
    lines = (b'{"request_id": "b", "value": 1, "at": "today"}\n', b'{"request_id": "a", "value": 0.25}\n')
    assert read(*lines) == [("b", 1.0), ("a", 0.25)]


def test_a_last_line_that_is_being_written_is_for_the_next_look():
    whole = b'{"request_id": "a", "value": 0}'
    assert read(whole + b"\n", whole[:-4]) == [("a", 0.0)]
    assert read(whole) == [("a", 0.0)]


@pytest.mark.parametrize("value", ["1.5", "-0.1", "true", '"1"', "null", "NaN", "Infinity", "[1]"])
def test_a_value_that_is_none_is_one_sentence(value):
    with pytest.raises(SourceError, match=r"^file:1: value .* is not a number from 0 to 1; divide it by the greatest"):
        read(f'{{"request_id": "a", "value": {value}}}\n'.encode())


@pytest.mark.parametrize("line", ["[1]", "7", "null", '{"value": 1}', '{"request_id": 7, "value": 1}', '{"request_id": "", "value": 1}'])
def test_a_line_without_an_id_is_one_sentence(line):
    with pytest.raises(SourceError, match=r"^file:2: must be an object with `request_id`, a text, and `value`"):
        read(b'{"request_id": "a", "value": 0}\n', f"{line}\n".encode())


def test_a_broken_line_is_one_sentence():
    with pytest.raises(SourceError, match=r"^file:1: is not JSON"):
        read(b"{\n")
