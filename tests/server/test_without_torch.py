"""An environment of the ``serve`` lock: no torch, and right answers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-serve"

SCRIPT = """
import json, sys, urllib.request
from pathlib import Path
from marline.errors import ServeError
from marline.serve import read_archive, serve, torch_free_skips
from marline.spec.model import Serving

try:
    import torch
except ImportError as error:
    missing = error.name
onnx, script = map(Path, sys.argv[1:])
able, sentences = torch_free_skips([read_archive(script), read_archive(onnx)])
try:
    serve([script], Serving())
except ServeError as error:
    refused = str(error)
with serve([s.path for s in able], Serving(max_workers=1), port=0) as server:
    server.wait_ready()
    request = urllib.request.Request(
        server.url + "/predictions/sentiment", b'{"text": "good"}', {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request))
print(json.dumps({"missing": missing, "skipped": sentences, "refused": refused, "answer": answer}))
"""


@pytest.fixture
def python() -> Path:
    path = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / ".marline-stamp").is_file():
        pytest.skip("needs .venv-serve: `python3 tools/setup_venv.py .venv-serve serve`")
    return path


def test_an_environment_without_torch_serves_onnx_and_says_what_it_cannot(
    python: Path, archives: dict[str, Path], tmp_path: Path
) -> None:
    done = subprocess.run(
        [python, "-c", SCRIPT, archives["int8"], archives["script"]],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["missing"] == "torch"
    assert (found["answer"]["label"], found["answer"]["variant"]) == ("positive", "onnx-int8")
    (sentence,) = found["skipped"]
    assert sentence.startswith("sentiment 1.0.0-torchscript-fp32 needs torch ")
    assert "or serve an ONNX variant, which needs none" in sentence
    assert found["refused"] == sentence
