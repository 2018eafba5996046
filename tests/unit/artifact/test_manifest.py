"""The manifest's law: reading what was written gives the same; what does not fit is one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlerkit import codec
from handlerkit import manifest as manifests
from handlerkit.errors import LoadError
from handlerkit.manifest import Dim, File, Golden, Manifest, Requirements, Source, Tensor

text = st.text(max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
json_object = st.dictionaries(text, json_value, max_size=3)


def many(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=3).map(tuple)


tensors = many(st.builds(Tensor, text, text, many(st.integers() | st.builds(Dim, text, st.integers(), st.integers()))))
manifest = st.builds(
    Manifest,
    schema_version=st.just(1),
    model=text, version=text, variant=text, task=text, format=text, licence=text,
    source=st.builds(Source, text, text, text),
    files=many(st.builds(File, text, st.integers(), text)),
    inputs=tensors, outputs=tensors,
    tokenizer=st.none() | text,
    labels=many(text),
    requirements=st.builds(Requirements, text, st.dictionaries(text, text, max_size=3), many(text)),
    inference_parameters=json_object,
    warmup_shapes=many(st.dictionaries(text, st.integers(), max_size=3)),
    golden=many(st.builds(Golden, json_value, st.none() | text, json_object)),
    golden_atol=number,
    drift_baseline=st.none() | json_object,
    build=json_object,
    handler_contract=st.integers(),
)


@settings(deadline=None, max_examples=200)
@given(manifest)
def test_round_trip(value: Manifest) -> None:
    written = manifests.dumps(value)
    assert manifests.loads(written) == value
    assert manifests.loads(written.encode()) == value
    assert manifests.dumps(manifests.loads(written)) == written


@pytest.fixture
def document() -> dict[str, Any]:
    value = Manifest(
        1, "m", "1.0.0", "onnx-fp32", "tensor", "onnx", Source("file:m", "1", "0" * 64), (File("m.onnx", 1, "0" * 64),),
        (Tensor("x", "float32", (1, Dim("n", 1, 2))),), (), None, (), Requirements("3.11", {}, ()), {}, (),
        (), 0.1, None, {}, 1, "MIT",
    )
    return json.loads(manifests.dumps(value))


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("colour",), "red", "$: unknown key 'colour'; known: schema_version, model"),
        (("files", 0, "mode"), 1, "$.files[0]: unknown key 'mode'; known: path, size, sha256"),
        (("model",), ..., "$: missing key 'model'"),
        (("source", "uri"), ..., "$.source: missing key 'uri'"),
        (("model",), 1, "$.model: expected str, found 1"),
        (("files", 0, "size"), "1", "$.files[0].size: expected int, found '1'"),
        (("files", 0, "size"), True, "$.files[0].size: expected int, found True"),
        (("golden_atol",), "0.1", "$.golden_atol: expected float, found '0.1'"),
        (("labels",), "a", "$.labels: expected a list, found 'a'"),
        (("source",), [], "$.source: expected an object, found a list"),
        (("requirements", "packages"), None, "$.requirements.packages: expected an object, found null"),
        (("tokenizer",), 5, "$.tokenizer: expected str, found 5"),
        (("inputs", 0, "shape", 1), "n", "$.inputs[0].shape[1]: expected int, found 'n'; or $.inputs[0].shape[1]: expected an object"),
        (("schema_version",), 2, "schema_version 2 is not supported (allowed: 1); serve it with the marline version that built it"),
    ],
)
def test_what_does_not_fit_is_one_sentence(document: dict[str, Any], path: tuple[Any, ...], value: Any, sentence: str) -> None:
    place = document
    for part in path[:-1]:
        place = place[part]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(LoadError) as caught:
        manifests.loads(json.dumps(document), "m.mar")
    assert f"m.mar: {sentence}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"a": NaN', b"\xff"])
def test_what_is_no_manifest_at_all_is_one_sentence(text: str | bytes) -> None:
    with pytest.raises(LoadError, match=r"^manifest.json: .*; rebuild the archive with `marline build`$"):
        manifests.loads(text)


@pytest.mark.parametrize("text", ['{"uri": "a", "uri": "b", "revision": "", "sha256": ""}'])
def test_a_key_given_twice_is_refused(text: str) -> None:
    with pytest.raises(codec.CodecError, match="key 'uri' is given twice"):
        codec.loads(Source, text)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_are_not_json_are_refused(document: dict[str, Any], word: str) -> None:
    broken = json.dumps({**document, "golden_atol": 12345}).replace("12345", word)
    with pytest.raises(LoadError, match=f"{word} is (not a JSON number|too large for a number)"):
        manifests.loads(broken)
