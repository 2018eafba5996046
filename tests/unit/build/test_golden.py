from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from handlerkit.text import Tokenizer
from marline.build import golden
from marline.build.sources import ModelSource, TextSource
from marline.errors import BuildError, SourceError
from marline.spec.model import Input, ModelSpec
from unit.spec.conftest import TENSOR_SPEC


def test_the_reference_s_own_answers_are_recorded(spec: ModelSpec, text: TextSource):
    first, second = golden.record_text(spec, text)
    assert first.request == {"text": "superb warm film"}
    assert (first.label, second.label) == ("positive", "negative")
    inputs = Tokenizer(text.tokenizer, 32).pad([[2, *(golden_id(text, w) for w in ("superb", "warm", "film")), 3]])
    with torch.inference_mode():
        logits = text.model()(torch.from_numpy(inputs["input_ids"]), torch.from_numpy(inputs["attention_mask"]))[0]
    np.testing.assert_allclose(first.outputs["logits"], logits.numpy(), atol=10**-golden.DECIMALS)


def golden_id(text: TextSource, word: str) -> int:
    return Tokenizer(text.tokenizer, 32).encode([word])[0].ids[1]


def test_a_small_margin_is_refused_with_the_text(spec: ModelSpec, text: TextSource):
    flat = {"head.weight": text.weights["head.weight"] * 0.05, "head.bias": text.weights["head.bias"] * 0}
    unsure = dataclasses.replace(text, weights=text.weights | flat)
    with pytest.raises(BuildError, match=r"^toy: golden text 'superb warm film' has a top-1 margin of 0.[0-9]+, at least 1.0 is needed; choose a clearer text$"):
        golden.record_text(spec, unsure)


def test_what_is_written_is_read_back(spec: ModelSpec, text: TextSource, source: ModelSource, tmp_path: Path):
    recorded = golden.record_text(spec, text)
    golden.write(tmp_path / "golden.json", recorded)
    at = dataclasses.replace(source, base=tmp_path)
    named = spec.model_copy(update={"golden": Input(file="golden.json", sha256="0" * 64)})
    assert list(golden.read(named, at)) == recorded
    assert golden.read(spec, at) == ()
    for broken in ("{", "[1]", '[{"request": 1}]', "5"):
        (tmp_path / "golden.json").write_text(broken)
        with pytest.raises(SourceError, match=r"golden.json: is not a list of golden requests \(.*\); record it with `marline train toy`"):
            golden.read(named, at)


def test_requests_of_a_tensor_model_have_the_declared_shapes():
    spec = ModelSpec.model_validate(TENSOR_SPEC)
    requests = golden.generated_requests(spec)
    assert requests == golden.generated_requests(spec)
    for request in requests:
        shape = np.asarray(request["inputs"]["x"]).shape
        assert shape[0] == 1
        assert 1 <= shape[1] <= 9
