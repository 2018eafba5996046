"""A tiny real text model with its data, and wheels that pip installs from a folder."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer as Engine
from tokenizers import models, pre_tokenizers, processors

from handlerkit import backends
from handlerkit import manifest as manifests
from handlerkit.backends.base import Backend
from handlerkit.backends.text_model import TextModel
from handlerkit.text import Tokenizer
from marline.build.sources import TextSource
from marline.build.sources.cache import sha256_of
from marline.build.variants import Built, Context, build_variant
from marline.build.variants.describe import draft_manifest

GOOD = ["superb", "warm", "funny", "gorgeous", "brilliant", "lovely", "moving", "great", "triumph", "delight"]
BAD = ["dull", "awful", "boring", "clumsy", "tedious", "bland", "weak", "lifeless", "waste", "mess"]
PLAIN = ["the", "a", "film", "plot", "actor", "scene", "story", "music", "camera", "of", "and", "in", "with", "this", "one", "for", "its", "long", "first", "last"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *PLAIN]
CONFIG = {
    "model_type": "bert", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128,
    "vocab_size": len(WORDS), "max_position_embeddings": 40, "type_vocab_size": 2, "hidden_act": "gelu",
}  # fmt: skip
MEMBER = "movieReviewSnippets_GroundTruth.txt"
ARCHIVE = "toyreviews/hutto_ICWSM_2014.tar.gz"


def sentence(rng: np.random.Generator, words: list[str]) -> str:
    """Three to twelve words, half of them from ``words``."""
    size = int(rng.integers(3, 13))
    return " ".join(str(rng.choice(words if i % 2 == 0 else PLAIN)) for i in range(size))


def reviews(number: int = 500) -> list[tuple[str, float, str]]:
    """Id, rating and text; every twentieth rating is within +-0.5."""
    rng = np.random.default_rng(5)
    out = []
    for i in range(number):
        good = bool(rng.integers(2))
        rating = (1 if good else -1) * (0.25 if i % 20 == 0 else float(rng.uniform(1, 3)))
        out.append((f"r{i}", round(rating, 3), sentence(rng, GOOD if good else BAD)))
    return out


def model_folder(folder: Path) -> Path:
    """``config.json``, ``model.safetensors`` and ``tokenizer.json`` of two random layers."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    weights = TextModel(CONFIG, "mean-linear", 2).encoder.state_dict()
    # larger than at the start of a training, so that every layer has a say in the outputs
    scaled = {n: (v * (3 if v.ndim == 2 and "embeddings" not in n else 1)).numpy() for n, v in weights.items()}
    save_file(dict(sorted(scaled.items())), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    engine = Engine(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    engine.pre_tokenizer = pre_tokenizers.Whitespace()
    engine.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    engine.save(str(folder / "tokenizer.json"))
    return folder


def trained_file(folder: Path, target: Path) -> Path:
    """A low-rank update, and a head fitted by ridge regression to logits of -4 and 4."""
    rng = np.random.default_rng(7)
    update = {
        "encoder.encoder.layer.1.output.dense.lora_a": rng.normal(size=(2, 128)).astype(np.float32) * 0.05,
        "encoder.encoder.layer.1.output.dense.lora_b": rng.normal(size=(64, 2)).astype(np.float32) * 0.05,
    }
    model = TextModel(CONFIG, "mean-normalize", 2).eval()
    loaded = {k: torch.from_numpy(v) for k, v in _load(folder).items()}
    model.encoder.load_state_dict(loaded)
    tokenizer = Tokenizer(folder / "tokenizer.json", 32)
    texts = [sentence(rng, words) for words in (GOOD, BAD) * 100]
    with torch.inference_mode():
        rows = []
        for encoded in tokenizer.encode(texts):
            row = model.encoder(torch.tensor([encoded.ids]), return_dict=False)[0].mean(1)[0]
            rows.append(np.append(row.numpy(), 1.0))
    x, wanted = np.stack(rows).astype(np.float64), np.array([4.0, -4.0] * 100)
    # with a penalty: normalised outputs are collinear, and huge weights would amplify rounding
    found = np.linalg.solve(x.T @ x + 0.3 * np.eye(x.shape[1]), x.T @ wanted).astype(np.float32)
    head = {"head.weight": np.stack([-found[:-1], found[:-1]]), "head.bias": np.array([-found[-1], found[-1]])}
    save_file({n: np.ascontiguousarray(v, np.float32) for n, v in (update | head).items()}, target)
    return target


def _load(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return dict(load_file(folder / "model.safetensors"))


def tarball(members: dict[str, bytes]) -> bytes:
    """A .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def wheel(folder: Path, package: str, version: str, files: dict[str, bytes]) -> str:
    """Write a wheel that pip accepts into ``folder``; returns its sha256."""
    info = f"{package}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*content, f"{info}/RECORD")).encode()
    path = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_wheel(folder: Path, rows: list[tuple[str, float, str]] | None = None) -> str:
    """The wheel ``toyreviews`` with labelled data in the form that the reader knows; returns its sha256."""
    lines = "".join(f"{i}\t{rating}\t{text}\n" for i, rating, text in rows or reviews())
    return wheel(folder, "toyreviews", "1.0", {ARCHIVE: tarball({f"hutto/{MEMBER}": lines.encode("latin-1")})})


def data_section(sha256: str) -> dict[str, Any]:
    """The spec's ``data:`` for that wheel."""
    return {
        "reader": "vader-movie-reviews",
        "source": {"kind": "pypi", "package": "toyreviews", "version": "1.0", "sha256": sha256, "path": "toyreviews"},
        "shares": {"train": 0.2, "calibration": 0.1, "gate": 0.5, "test": 0.2},
    }


def spec_document(folder: Path, data_sha256: str | None, variants: dict[str, Any]) -> dict[str, Any]:
    """A spec beside ``folder``/model and ``folder``/trained.safetensors."""
    document: dict[str, Any] = {
        "name": "toy", "version": "1.0.0", "task": "text-classification", "licence": "MIT", "head": "mean-linear",
        "labels": ["negative", "positive"],
        "source": {"kind": "file", "path": "model", "sha256": sha256_of(folder / "model")},
        "trained": {"file": "trained.safetensors", "sha256": sha256_of(folder / "trained.safetensors")},
        "golden_texts": ["superb warm film", "the plot dull and awful"],
        "inference_parameters": {"max_length": 32},
        "variants": variants,
    }  # fmt: skip
    return document | ({"data": data_section(data_sha256)} if data_sha256 else {})


def finish(context: Context, built: Built) -> Backend:
    """Manifest and tokenizer beside what was built, and the result loaded."""
    (context.out / "tokenizer.json").write_bytes(context.text.tokenizer.read_bytes() if context.text else b"")
    manifest = draft_manifest(context, built)
    (context.out / manifests.FILE_NAME).write_text(manifests.dumps(manifest))
    return backends.load(manifest, context.out)


def make(context: Context) -> tuple[Built, Backend]:
    """Build a variant and load it."""
    context.out.mkdir(parents=True)
    built = build_variant(context)
    return built, finish(context, built)


def questions(text: TextSource, number: int = 24) -> list[dict[str, np.ndarray]]:
    """Clear sentences, tokenized, each alone."""
    rng = np.random.default_rng(11)
    tokenizer = Tokenizer(text.tokenizer, 32)
    texts = [sentence(rng, GOOD if i % 2 else BAD) for i in range(number)]
    return [tokenizer.pad([e.ids]) for e in tokenizer.encode(texts)]


def answers(backend: Backend, asked: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Logits as (items, 2)."""
    return np.stack([backend.run(inputs)["logits"][0] for inputs in asked])
