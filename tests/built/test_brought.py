"""Files that were brought: one network as ONNX and as TorchScript, built, gated, packed and served together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from built.asking import ask
from marline.artifact.store import Store
from marline.serve import TorchServer, serve
from marline.spec import load_model_spec

ROOT = Path(__file__).resolve().parents[2]
BROUGHT = {"vad-onnx": "onnx-fp32", "vad-torchscript": "torchscript-fp32"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServer]:
    store = Store(tmp_path_factory.mktemp("store"))
    for name in BROUGHT:
        command = [sys.executable, "build.py", "build", name, "--store", str(store.root)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    archives = [store.archive(name, "1.0.0", variant) for name, variant in BROUGHT.items()]
    settings = load_model_spec(ROOT / "config" / "models" / "vad-onnx.yaml").serving
    with serve(archives, settings, port=0) as running:
        running.wait_ready()
        yield running


def test_both_forms_give_the_same_answer(server: TorchServer) -> None:
    golden = json.loads((ROOT / "config" / "models" / "vad-onnx" / "golden.json").read_text())
    for question in golden:
        found = [ask(f"{server.url}/predictions/{name}", question["request"]) for name in BROUGHT]
        assert [status for status, _ in found] == [200, 200]
        first, second = (answer["outputs"]["output"][0][0] for _, answer in found)
        assert first == pytest.approx(second, abs=1e-3)
        assert first == pytest.approx(question["outputs"]["output"][0][0], abs=1e-3)


def test_a_tensor_of_another_shape_is_refused_with_what_is_allowed(server: TorchServer) -> None:
    body = {"inputs": {"input": [[0.0] * 3], "state": [[[0.0] * 128]] * 2}}
    status, answer = ask(f"{server.url}/predictions/vad-onnx", body)
    assert status == 400
    assert "'input' has shape [1, 3]; allowed: [1, 576]" in answer["error"]
