from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from marline.spec.allowed import Schema


class One(BaseModel):
    kind: Literal["one"]
    x: int = Field(default=1, ge=1, le=9)


class Two(BaseModel):
    kind: Literal["two"]
    y: str = Field(pattern="^y", examples=["yes"])


class Whole(BaseModel):
    choice: Annotated[One | Two, Field(discriminator="kind")]
    many: dict[str, One]
    row: list[Two]
    maybe: float | None = Field(default=None, gt=0)
    flag: bool = False


DATA = {"choice": {"kind": "two"}, "many": {"k": {"kind": "one"}}, "row": [{"kind": "two"}]}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("choice.y", "text (in quotes where it looks like a number) matching ^y such as yes"),
        ("many.k.x", "a whole number >= 1 and <= 9"),
        ("many.k", "a mapping with the keys kind, x"),
        ("row.0.kind", "two"),
        ("maybe", "a number > 0"),
        ("flag", "true or false"),
        ("row", "a list"),
    ],
)
def test_what_is_allowed_is_found_beside_the_data(path, allowed):
    assert Schema(Whole).allowed(tuple(path.split(".")), DATA) == allowed


def test_keys_of_the_member_that_the_tag_names():
    assert Schema(Whole).keys(("choice",), DATA) == ["kind", "y"]
    assert Schema(Whole).allowed(("choice", "kind"), {"choice": {"kind": "three"}}) == "one, two"


def test_values_and_examples():
    assert Schema.value(("row", "0", "kind"), DATA) == "two"
    assert Schema.value(("row", "7"), DATA) is None
    assert Schema.value(("flag", "x"), {"flag": True}) is None
    assert Schema(Two).example(("y",)) == "yes"
    assert Schema(Two).example(("kind",)) is None
