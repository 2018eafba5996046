"""Where requests come from: files of them, archives, the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marline.artifact.store import Store
from marline.build.gate.questions import tensor_exam
from marline.errors import ServeError, SourceError, StoreError
from marline.rollout.replay import Item, requests, sources
from marline.rollout.replay.endpoint import endpoint, label
from marline.spec.load import load_model_spec


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    items = (Item("a", {"text": "grün\u2028"}, [1]), Item("b", ["x"], None))
    requests.write(tmp_path / "r.jsonl", items)
    assert requests.read(tmp_path / "r.jsonl").items == items


def test_a_line_needs_only_a_request(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"request": "one"}\n\n{"request": null, "id": 7}\n')
    assert requests.read(tmp_path / "r.jsonl").items == (Item("1", "one"), Item("7", None))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"request": 1}\n{"request": ', r"r\.jsonl:2: is not JSON \("),
        ('{"request": NaN}', r"r\.jsonl:1: is not JSON \(NaN is not a JSON number\)"),
        ("[" * 100_000, r"r\.jsonl:1: is not JSON \(it is nested too deeply\)"),
        ('{"text": "x"}', r"r\.jsonl:1: must be an object with `request`.*; found 'text'$"),
        ('{"request": 1, "label": "x"}', "found 'label', 'request'$"),
        ("[1]", "found list$"),
        ("\n", r"holds 0 requests; allowed: 1 to 10000"),
        ('{"request": 1}\n' * 10_001, r"holds 10001 requests; allowed: 1 to 10000"),
        (b"\xff", "it is not UTF-8"),
        (None, r"r\.jsonl: cannot be read \(No such file or directory\)"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: Any, sentence: str) -> None:
    path = tmp_path / "r.jsonl"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError, match=sentence) as error:
        requests.read(path)
    assert "\n" not in str(error.value)


def test_the_golden_requests_of_store_and_archive_are_the_same(published: Path) -> None:
    store = Store(published)
    found = sources.golden_of_store(store, "scaler@1.0.0/onnx-int8")
    assert found.items == sources.golden_of_archive(store.archive("scaler", "1.0.0", "onnx-int8")).items
    assert found.items[0].request == {"inputs": {"x": [[1.0, 2.0]]}}
    assert (found.model, found.source) == ("scaler", "golden requests of scaler 1.0.0 onnx-int8")
    with pytest.raises(SourceError, match="'scaler' names no artifact; write model@version/variant"):
        sources.golden_of_store(store, "scaler")
    with pytest.raises(StoreError, match="no variant 'onnx-int4' of scaler 1.0.0"):
        sources.golden_of_store(store, "scaler@1.0.0/onnx-int4")


def test_the_gates_items_of_a_tensor_model_are_what_the_gate_asks(store: Store) -> None:
    spec = load_model_spec("scaler", untrained=True)
    found = sources.gate_items(spec)
    asked = [json.loads(json.dumps(item.request))["inputs"]["x"] for item in found.items]
    exam = tensor_exam(spec).gate
    assert asked == [inputs["x"].tolist() for inputs in exam]
    assert found.max_abs["onnx-fp32"] == spec.gates("onnx-fp32").max_abs


@pytest.mark.parametrize(
    ("url", "model", "address"),
    [
        ("http://host:8080", "m", "http://host:8080/predictions/m"),
        ("https://host/", "m", "https://host/predictions/m"),
        ("http://host/variants/blue/predictions/m", "other", "http://host/variants/blue/predictions/m"),
        ("http://[::1]:8080", "m", "http://[::1]:8080/predictions/m"),
        ("http://host/invocations?model_name=m#x", None, "http://host/invocations?model_name=m"),
    ],
)
def test_an_address_gets_a_path_where_it_has_none(url: str, model: str | None, address: str) -> None:
    assert endpoint(url, model, {}, 1).address == address


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("host:8080", "'host:8080' is no address"),
        ("ftp://host", "is no address"),
        ("http://", "is no address"),
        ("http://host:99999", "is no address"),
        ("http://ho st", "is no address"),
        ("http://[::1", "is no address"),
        ("http://host:8080", "http://host:8080: names no model, .*`--model NAME`"),
    ],
)
def test_a_bad_address_is_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ServeError, match=sentence):
        endpoint(url, None, {}, 1)


def test_credentials_are_refused_without_being_shown_and_a_query_stays_out_of_metrics() -> None:
    with pytest.raises(ServeError, match=r"http://\.\.\.@host: credentials") as error:
        endpoint("http://user:secret@host", "m", {}, 1)
    assert "secret" not in str(error.value)
    assert label("http://host/x?token=secret") == "http://host/x"
