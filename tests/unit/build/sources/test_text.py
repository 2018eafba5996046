from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from marline.build.sources import ModelSource, TextSource, load_text_source
from marline.build.sources.text import LORA_SCALE, merge
from marline.errors import SourceError
from marline.spec.model import ModelSpec

PATH = Path("trained.safetensors")


def _weights(rows: int = 6, columns: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"layer.weight": rng.normal(size=(rows, columns)).astype(np.float32)}


def _update(rows: int = 6, columns: int = 5, rank: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {
        "layer.lora_a": rng.normal(size=(rank, columns)).astype(np.float32),
        "layer.lora_b": rng.normal(size=(rows, rank)).astype(np.float32),
    }


def test_the_sum_is_the_same_to_the_last_bit_as_plain_python_floats():
    weights, update = _weights(), _update()
    a, b = update["layer.lora_a"].tolist(), update["layer.lora_b"].tolist()
    wanted = []
    for i, row in enumerate(weights["layer.weight"].tolist()):
        wanted.append([])
        for j, value in enumerate(row):
            total = 0.0
            for rank in range(3):
                total += b[i][rank] * a[rank][j]
            wanted[i].append(np.float32(value + LORA_SCALE * total))
    found = merge(weights, update, PATH)["layer.weight"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.view(np.uint32), np.array(wanted, np.float32).view(np.uint32))
    np.testing.assert_array_equal(_weights()["layer.weight"], weights["layer.weight"])  # the input is not touched


def test_the_head_is_taken_as_it_is():
    head = {"head.weight": np.ones((2, 5), np.float64), "head.bias": np.zeros(2)}
    found = merge(_weights(), head, PATH)
    assert found["head.weight"].dtype == np.float32
    assert found["head.weight"].tolist() == np.ones((2, 5)).tolist()


@pytest.mark.parametrize(
    ("trained", "name"),
    [
        ({k.replace("layer", "other"): v for k, v in _update().items()}, "other.lora_a"),
        ({"layer.lora_a": _update()["layer.lora_a"]}, "layer.lora_a"),
        ({"layer.lora_b": _update()["layer.lora_b"]}, "layer.lora_b"),
        ({"layer.weight": _weights()["layer.weight"]}, "layer.weight"),
        ({"head.wieght": np.zeros((2, 5), np.float32)}, "head.wieght"),
        (_update(columns=4), "layer.lora_a"),
        (_update(rows=7), "layer.lora_a"),
        (_update() | {"layer.lora_b": _update(rank=2)["layer.lora_b"]}, "layer.lora_a"),
    ],
)
def test_what_fits_no_weight_is_refused_by_name(trained: dict[str, np.ndarray], name: str):
    with pytest.raises(SourceError, match=f"^trained.safetensors: {name} fits no weight of the encoder; train it again"):
        merge(_weights(), trained, PATH)


def test_the_loaded_model_is_the_encoder_with_update_and_head(text: TextSource, toy: Path):
    plain = load_file(toy / "model" / "model.safetensors")
    trained = load_file(toy / "trained.safetensors")
    changed = [n for n in text.weights if n.startswith("encoder.") and not np.array_equal(text.weights[n], plain[n.removeprefix("encoder.")])]
    assert changed == ["encoder.encoder.layer.1.output.dense.weight"]
    np.testing.assert_array_equal(text.weights["head.weight"], trained["head.weight"])
    model = text.model()
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert model(torch.tensor([[2, 4, 3]]), torch.ones((1, 3), dtype=torch.int64)).shape == (1, 2)


def _copy(toy: Path, tmp_path: Path, source: ModelSource) -> ModelSource:
    shutil.copytree(toy, tmp_path / "toy")
    return ModelSource(tmp_path / "toy" / "model", tmp_path / "toy", source.record)


def _config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer.json; a text model's source needs"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: is not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json: names no model_type that transformers knows, but None"),
        (lambda f: _config(f, model_type="bret"), "config.json: names no model_type that transformers knows, but 'bret'"),
        (lambda f: (f / "model.safetensors").write_bytes(b"junk"), "model.safetensors: is not a safetensors file"),
        (lambda f: _config(f, num_hidden_layers=3), "has no encoder.layer.2.attention.self.query.weight of shape (64, 64)"),
        (lambda f: _config(f, vocab_size=45), "has no embeddings.word_embeddings.weight of shape (45, 64) as bert needs"),
        (lambda f: (f.parent / "trained.safetensors").write_bytes(b"junk"), "trained.safetensors: is not a safetensors file"),
        (
            lambda f: save_file({"head.weight": np.zeros((3, 64), np.float32), "head.bias": np.zeros(3, np.float32)}, f.parent / "trained.safetensors"),
            "has no head.weight of shape (2, 64), as toy needs with 2 labels; train it again with `marline train toy`",
        ),
        (
            lambda f: save_file({"head.weight": np.zeros((2, 64), np.float32)}, f.parent / "trained.safetensors"),
            "has no head.bias of shape (2,), as toy needs",
        ),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_one_sentence(damage, sentence: str, toy: Path, tmp_path: Path, spec: ModelSpec, source: ModelSource):
    copied = _copy(toy, tmp_path, source)
    damage(copied.path)
    with pytest.raises(SourceError) as caught:
        load_text_source(spec, copied)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_trained_head_starts_with_zeros(spec: ModelSpec, source: ModelSource):
    found = load_text_source(spec.model_copy(update={"trained": None}), source)
    assert found.weights["head.weight"].shape == (2, 64)
    assert not found.weights["head.weight"].any()
    assert np.isfinite(found.weights["encoder.embeddings.word_embeddings.weight"]).all()
