"""Questions are the gate's own."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from marline.bench.profile import texts
from marline.build.data import Item
from marline.errors import BenchError
from marline.spec.model import TensorSpec


def spec(**changes: Any) -> Any:
    return SimpleNamespace(**{"name": "toy", "task": "text-classification", "data": object(), "inputs": [], **changes})


def test_texts_are_items_of_the_gate_each_once_in_the_same_order_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Item(str(i), f'text "{i}" ü', 1.0) for i in range(50)]
    asked: list[str] = []
    monkeypatch.setattr(texts, "load_split", lambda data, split: asked.append(split) or items)
    found = [json.loads(body)["text"] for body in texts.bodies(spec(), 20)]
    assert asked == ["gate"]
    assert len(set(found)) == 20
    assert set(found) < {item.text for item in items}
    assert found != [item.text for item in items[:20]]
    assert [json.loads(body)["text"] for body in texts.bodies(spec(), 20)] == found
    assert len(texts.bodies(spec(), 1000)) == 50


def test_a_tensor_models_are_the_gates_examples() -> None:
    inputs = [TensorSpec(name="x", dtype="float32", shape=[3]), TensorSpec(name="n", dtype="int64", shape=[], example=2)]
    found = [json.loads(body)["inputs"] for body in texts.bodies(spec(task="tensor", inputs=inputs), 2)]
    assert [(len(one["x"]), one["n"]) for one in found] == [(3, 2), (3, 2)]
    assert found[0]["x"] != found[1]["x"]


def test_without_data_there_is_nothing_to_ask() -> None:
    with pytest.raises(BenchError, match=r"^toy: has no `data:`, so there are no questions to profile with; add it to the spec$"):
        texts.bodies(spec(data=None), 2)
