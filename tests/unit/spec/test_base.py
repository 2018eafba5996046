from __future__ import annotations

from pydantic import Field

from marline.spec.base import BrokenRules, Overrides, Strict


class Settings(Strict):
    a: int = 1
    b: float = Field(default=2.0, gt=0)


class SettingsOverrides(Overrides, Settings):
    pass


def test_only_what_was_written_counts_even_where_it_equals_the_default():
    assert SettingsOverrides(a=1).written == {"a": 1}
    assert SettingsOverrides(a=1).model_dump() == {"a": 1}
    assert SettingsOverrides().written == {}


def test_the_schema_of_overrides_promises_no_defaults_and_keeps_the_limits():
    properties = SettingsOverrides.model_json_schema()["properties"]
    assert "default" not in properties["a"]
    assert properties["b"]["exclusiveMinimum"] == 0
    assert Settings.model_json_schema()["properties"]["a"]["default"] == 1


def test_broken_rules_read_as_sentences():
    assert str(BrokenRules([(("a", "b"), "is wrong"), (("c",), "too")])) == "a.b: is wrong; c: too"
