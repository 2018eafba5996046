"""Small real archives: a bag-of-words classifier and a doubling tensor model, made in milliseconds.

Every word of ``WORDS`` has a weight of its own, so that an answer's scores tell which words arrived.
"""

from __future__ import annotations

import platform
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from handlerkit.manifest import Dim, Golden, Manifest, Requirements, Source, Tensor
from marline.artifact.mar import files_of, pack
from marline.spec.model import Serving

WORDS = ["[UNK]", "[PAD]", "good", "bad", "a", "b", "c", "&", "=", "+", "%", "100", "{", "}", '"', ":", "text", "ü"]
WEIGHTS = np.round(np.linspace(-1, 1, len(WORDS)), 3).astype(np.float32)
WEIGHTS[2:4] = (9.0, -9.0)
SETTINGS = Serving(max_workers=1, max_batch_delay_ms=1, startup_timeout_s=90)


def logits(text: str) -> list[float]:
    """What the classifier says of words separated by spaces: (-mean weight, mean weight)."""
    mean = float(np.mean([WEIGHTS[WORDS.index(w) if w in WORDS else 0] for w in text.split()], dtype=np.float32))
    return [-mean, mean]


def positive(text: str) -> float:
    """The score of the label ``positive``."""
    low, high = logits(text)
    return float(1 / (1 + np.exp(low - high)))


def classifier(target: Path, variant: str = "onnx-fp32", golden: Mapping[str, Any] | None = None) -> Path:
    """A text classifier's archive, for ``torchscript-...`` variants one that needs torch."""
    stage = target.with_suffix("")
    stage.mkdir(parents=True)
    _tokenizer(stage / "tokenizer.json")
    torchscript = variant.startswith("torch")
    (_script if torchscript else _graph)(stage)
    manifest = _manifest(
        stage, "sentiment", variant, "text-classification",
        format="torchscript" if torchscript else "onnx",
        inputs=tuple(Tensor(n, "int64", (Dim("batch", 1, 64), Dim("tokens", 1, 64))) for n in ("input_ids", "attention_mask")),
        outputs=(Tensor("logits", "float32", (Dim("batch", 1, 64), 2)),),
        tokenizer="tokenizer.json",
        labels=("negative", "positive"),
        inference_parameters={"max_length": 64, "max_chars": 500, "max_group": 8, "max_padding": 0.5},
        golden=(Golden({"text": "good"}, "positive", golden or {"logits": logits("good")}),),
    )
    pack(stage, manifest, target)
    return target


def doubler(target: Path) -> Path:
    """A tensor model's archive: ``{"inputs": {"x": [...]}}`` to ``{"outputs": {"y": [2 * ...]}}``."""
    from onnx import TensorProto, helper, save

    stage = target.with_suffix("")
    stage.mkdir(parents=True)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "doubler",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )
    save(_onnx(graph), stage / "model.onnx")
    shape = (Dim("n", 1, 1000),)
    manifest = _manifest(
        stage, "doubler", "onnx-fp32", "tensor",
        inputs=(Tensor("x", "float32", shape),), outputs=(Tensor("y", "float32", shape),),
        golden=(Golden({"inputs": {"x": [1.0, 2.0]}}, None, {"y": [2.0, 4.0]}),),
    )
    pack(stage, manifest, target)
    return target


def rewritten(source: Path, target: Path, changes: Mapping[str, Callable[[bytes], bytes | None]]) -> Path:
    """A copy of an archive with some entries changed; None drops one."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data: bytes | None = old.read(name)
            if name in changes:
                data = changes[name](old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def _manifest(stage: Path, model: str, variant: str, task: str, format: str = "onnx", **given: Any) -> Manifest:
    engine = "torch" if format == "torchscript" else "onnxruntime"
    empty = Manifest(
        schema_version=1, model=model, version="1.0.0", variant=variant, task=task, format=format,
        source=Source("test:", "1", "0" * 64), files=(), inputs=(), outputs=(), tokenizer=None, labels=(),
        requirements=Requirements(".".join(platform.python_version_tuple()[:2]), {engine: version(engine).split("+")[0]}, ()),
        inference_parameters={}, warmup_shapes=(), golden=(), golden_atol=1e-4, drift_baseline=None, build={},
        handler_contract=1, licence="Apache-2.0",
    )
    return replace(empty, files=files_of(stage, [p.name for p in stage.iterdir()]), **given)


def _tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Sequence, Split, Whitespace

    engine = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    engine.pre_tokenizer = Sequence([Whitespace(), Split("&", "isolated"), Split("%", "isolated"), Split("=", "isolated")])
    engine.save(str(path))


def _graph(stage: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    constants = {
        "table": np.stack([-WEIGHTS, WEIGHTS], 1), "last": np.array([2], np.int64), "tokens": np.array([1], np.int64)
    }
    steps = [
        ("Gather", ["table", "input_ids"], "rows", {}),
        ("Cast", ["attention_mask"], "mask", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["mask", "last"], "column", {}),
        ("Mul", ["rows", "column"], "kept", {}),
        ("ReduceSum", ["kept", "tokens"], "sum", {"keepdims": 0}),
        ("ReduceSum", ["mask", "tokens"], "count", {"keepdims": 1}),
        ("Div", ["sum", "count"], "logits", {}),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **options) for kind, inputs, output, options in steps], "bag",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    save(_onnx(graph), stage / "model.onnx")


def _onnx(graph: Any) -> Any:
    from onnx import helper

    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _script(stage: Path) -> None:
    import torch

    class Bag(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Parameter(torch.tensor(np.stack([-WEIGHTS, WEIGHTS], 1)))

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            mask = attention_mask.to(torch.float32).unsqueeze(2)
            return (self.table[input_ids] * mask).sum(1) / mask.sum(1)

    example = torch.ones(2, 3, dtype=torch.int64)
    torch.jit.trace(Bag().eval(), (example, example)).save(str(stage / "model.pt"))
