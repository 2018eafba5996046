from __future__ import annotations

import pytest

from marline.errors import SpecError
from marline.spec.yaml import read_yaml


def read(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("false", False), ("True", "True"),
        ("null", None), ("~", None), ("", None), ("12", 12), ("-3", -3), ("012", "012"), ("1_000", "1_000"),
        ("1:30", "1:30"), ("0x1f", "0x1f"), ("1.5", 1.5), ("1e-3", 0.001), ("2.5e3", 2500.0), (".5", 0.5),
        ("1.0.0", "1.0.0"), ("2026-11-21", "2026-11-21"), ("'1'", "1"), ('"true"', "true"), ("=", "="),
    ],
)
def test_plain_scalars_are_read_as_yaml_1_2_reads_them(tmp_path, text, value):
    found = read(tmp_path, f"a: {text}\n").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_lines_of_keys_and_items(tmp_path):
    document = read(tmp_path, "a: 1\nb:\n  c:\n    - x\n    - y: 1\n")
    assert document.data == {"a": 1, "b": {"c": ["x", {"y": 1}]}}
    assert document.where("b.c").endswith("a.yaml:3: b.c")
    assert document.where("b.c.1.y").endswith("a.yaml:5: b.c.1.y")
    assert document.where("b.c.1.z").endswith("a.yaml:5: b.c.1.z")
    assert document.where("z").endswith("a.yaml: z")


def test_every_duplicate_key_is_named_with_both_lines(tmp_path):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, "a: 1\nb:\n  - c: 1\n    d: 2\n    c: 3\na: {x: 1, x: 2}\n")
    path = tmp_path / "a.yaml"
    assert caught.value.problems == [
        f"{path}:5: b.0.c: duplicate key (first on line 3); keep one of them",
        f"{path}:6: a: duplicate key (first on line 1); keep one of them",
    ]


def test_a_dot_in_a_key_is_not_a_path(tmp_path):
    assert read(tmp_path, "a.b: 1\na: {b: 2}\n").data == {"a.b": 1, "a": {"b": 2}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &x {b: 1}\nc: *x\n", ":2: c: an alias (*name) is not allowed; write the value out again"),
        ("a: &x [*x]\n", ":1: a.0: an alias (*name) is not allowed; write the value out again"),
        ("a:\n  <<: {b: 1}\n", ":2: a.<<: a merge key is not allowed; write the keys out again"),
        ("1: a\n", ":1: 1: a key must be text; put it in quotes"),
        ("? [a]\n: 1\n", "a key must be text; put it in quotes"),
        ("a: !!set {b}\n", ":1: a: the tag !!set is not allowed; remove it"),
        ("a: !!python/name:os.system x\n", ":1: a: the tag !!python/name:os.system is not allowed; remove it"),
        ("a: !!binary aGk=\n", ":1: a: the tag !!binary is not allowed; remove it"),
        ("a: !!int x\n", ":1: a: 'x' is not a value of type !!int"),
        ("a: " + "9" * 5000 + "\n", "is not a value of type !!int"),
        ("a: [1, 2\n", "is not valid YAML: "),
        ("a: 1\n---\nb: 1\n", "is not valid YAML: "),
        ("a: \x01\n", "is not valid YAML: "),
        ('a: "\\UFFFFFFFF"\n', "is not valid YAML: "),
        ("- a\n", ": must be a mapping of keys to values; write `key: value` lines"),
        ("", ": must be a mapping of keys to values; write `key: value` lines"),
        (b"a: \xff\n", ": is not UTF-8 (byte 3); save it as UTF-8"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "is nested deeper than 50 levels; flatten it"),
        ("a: " + "[" * 5000 + "]" * 5000 + "\n", "is nested deeper than 50 levels; flatten it"),
    ],
)
def test_refused_with_one_sentence(tmp_path, text, sentence):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert len(caught.value.problems) == 1
    assert sentence in caught.value.problems[0]
    assert caught.value.problems[0].startswith(str(tmp_path / "a.yaml"))


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SpecError, match=r"cannot be read \(.*\); check the path"):
            read_yaml(path)
