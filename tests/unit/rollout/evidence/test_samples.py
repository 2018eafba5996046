"""Vectors and matrices become samples; anything else is no answer."""

from __future__ import annotations

from typing import Any

import pytest

from marline.rollout.evidence.samples import Sample, read


def document(kind: str, *result: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": list(result)}}


def test_a_vector_has_one_value_for_each_series() -> None:
    found = read(document("vector", {"metric": {"__name__": "n", "pod": "a"}, "value": [1790000000.5, "3"]}))
    assert found == [Sample({"__name__": "n", "pod": "a"}, 1790000000.5, 3.0)]
    assert (found[0].name, found[0].pod) == ("n", "a")


def test_of_a_matrix_the_newest_sample_counts_with_its_own_time() -> None:
    (found,) = read(document("matrix", {"metric": {}, "values": [[10, "1"], [12, "7"], [14, "9"]]}))
    assert (found.at, found.value, found.name, found.pod) == (14.0, 9.0, "", "")


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_left_out(value: str) -> None:
    assert read(document("vector", {"metric": {}, "value": [1, value]})) == []


def test_a_native_histogram_is_left_out() -> None:
    assert read(document("vector", {"metric": {}, "histogram": [1, {"count": "3"}]})) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "success"},
        {"status": "success", "data": None},
        document("scalar"),
        {"data": {"resultType": "vector", "result": {}}, "status": "success"}
        | {"data": {"resultType": "vector", "result": 3}},
        document("vector", {"metric": {}, "value": [1]}),
        document("vector", {"metric": {}, "value": [1, "three"]}),
        document("vector", {"metric": None, "value": [1, "3"]}),
        document("vector", {"value": [1, "3"]}),
        document("matrix", {"metric": {}, "values": [3]}),
        {"status": "success", "data": {"resultType": "vector", "result": ["x"]}},
    ],
)
def test_another_document_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="."):
        read(broken)
