"""A small real text-classification archive: WordLevel tokenizer, ONNX graph, manifest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handlerkit import manifest as manifests
from handlerkit.manifest import Dim, File, Golden, Manifest, Requirements, Source, Tensor

WORDS = ["[PAD]", "[UNK]", "good", "bad", "film", "boom", "inf"]
# logits are the masked mean of these rows: (negative, positive)
ROWS = {"good": (-2.0, 2.0), "bad": (2.0, -2.0), "film": (0.25, 0.5), "inf": (np.inf, 0.0)}


class FakeContext:
    """What a handler uses of TorchServe's context, and what it was told per request."""

    def __init__(self, model_dir: Path | str = "") -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.status: dict[int, tuple[int, str]] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.asked: dict[int, dict[str, str]] = {}

    def get_request_header(self, idx: int, key: str) -> str | None:
        return self.asked.get(idx, {}).get(key)

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.status[idx] = (code, phrase)

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.headers.setdefault(idx, {})[key] = value

    def code(self, idx: int) -> int:
        return self.status.get(idx, (200, ""))[0]


def _save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> None:
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def save_classifier(path: Path) -> None:
    """Embedding rows, masked mean; a token "boom" (id 5) indexes out of range and makes the graph fail."""
    table = np.zeros((len(WORDS), 2), np.float32)
    for word, row in ROWS.items():
        table[WORDS.index(word)] = row
    lookup = np.arange(len(WORDS), dtype=np.int64)
    lookup[WORDS.index("boom")] = 99
    nodes = [
        helper.make_node("Gather", ["lookup", "input_ids"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 2])]
    _save(path, nodes, inputs, outputs, {"table": table, "lookup": lookup, "last": np.array([2]), "one": np.array([1])})


def save_scaler(path: Path) -> None:
    """y = x * gain, with x float32 (2, n) and gain an int64 scalar."""
    nodes = [helper.make_node("Cast", ["gain"], ["g"], to=TensorProto.FLOAT), helper.make_node("Mul", ["x", "g"], ["y"])]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, "n"]),
        helper.make_tensor_value_info("gain", TensorProto.INT64, []),
    ]
    _save(path, nodes, inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, "n"])], {})


def save_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    engine = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    engine.pre_tokenizer = pre_tokenizers.Whitespace()
    engine.save(str(path))


def manifest(task: str = "text-classification", **changes: Any) -> Manifest:
    shape = (Dim("batch", 1, 64), Dim("tokens", 1, 8))
    text = task != "tensor"
    inputs = tuple(Tensor(n, "int64", shape) for n in ("input_ids", "attention_mask"))
    made = Manifest(
        schema_version=1, model="tiny", version="1.0.0", variant="onnx-fp32", task=task, format="onnx",
        source=Source("file:tiny", "", "0" * 64), files=(File("model.onnx", 1, "0" * 64),),
        inputs=inputs if text else (Tensor("x", "float32", (2, Dim("n", 1, 4))), Tensor("gain", "int64", ())),
        outputs=(Tensor("logits", "float32", (Dim("batch", 1, 64), 2)),) if text else (Tensor("y", "float32", (2, Dim("n", 1, 4))),),
        tokenizer="tokenizer.json" if text else None, labels=("negative", "positive") if text else (),
        requirements=Requirements("3.11", {}, ()),
        inference_parameters={"max_length": 8, "max_chars": 200, "max_group": 16, "max_padding": 0.5, "head": None},
        warmup_shapes=(), golden=(), golden_atol=0.01, drift_baseline=None, build={}, handler_contract=1, licence="MIT",
    )
    return dataclasses.replace(made, **changes)


def unpack(directory: Path, made: Manifest) -> Path:
    (save_scaler if made.task == "tensor" else save_classifier)(directory / "model.onnx")
    if made.tokenizer:
        save_tokenizer(directory / made.tokenizer)
    (directory / manifests.FILE_NAME).write_text(manifests.dumps(made))
    return directory


@pytest.fixture
def classifier(tmp_path: Path) -> Any:
    from text_classification import TextClassification

    golden = Golden({"text": "good film"}, "positive", {"logits": [-0.875, 1.25]})
    handler = TextClassification()
    handler.initialize(FakeContext(unpack(tmp_path, manifest(golden=(golden,)))))
    return handler


@pytest.fixture
def scaler(tmp_path: Path) -> Any:
    from tensor import TensorModel

    golden = Golden({"inputs": {"x": [[1], [2]], "gain": 3}}, None, {"y": [[3], [6]]})
    handler = TensorModel()
    handler.initialize(FakeContext(unpack(tmp_path, manifest("tensor", golden=(golden,)))))
    return handler
