"""The stand-in torch: the same bytes on the wire as the real one, and out of the way when asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from marline.serve.torchserve.environ import STUB

ENCODE = """
import sys
from ts.context import Context, RequestProcessor
from ts.protocol import otf_message_handler as otf
import torch
print(hasattr(torch, "leave_for_the_real_one"), file=sys.stderr)

def context(count):
    made = Context("m", ".", {}, count, None, "0.12.0")
    made.request_processor = [RequestProcessor({}) for _ in range(count)]
    made.set_response_content_type(0, "application/json")
    made.set_response_status(400, "Bad Request", idx=0)
    made.set_response_header(0, "x-marline-error", "request")
    return made

for value in (b"\\x00\\xffbytes", bytearray(b"array"), "text \\u00fc", "", {"a": [1, 2.5, None]}, [1, "b"], 7, None, True,
              object(), {1, 2}, float("nan")):
    for ids in ({0: "r0"}, {0: "r0", 1: "r1"}):
        for made in (None, context(len(ids))):
            message = otf.create_predict_response([value] * len(ids), ids, "Prediction success", 200, made)
            sys.stdout.write(message.hex() + "\\n")
for code in (500, 503, 507):
    sys.stdout.write(otf.create_predict_response(None, {0: "r0"}, "failed", code).hex() + "\\n")
sys.stdout.write(otf.create_load_model_response(200, "loaded").hex() + "\\n")
"""

LEAVE = """
import json, os, sys
from ts.protocol import otf_message_handler as otf
import numpy, onnxruntime, tokenizers
import torch as stand_in
before = dict(stub=hasattr(stand_in, "leave_for_the_real_one"), tensor=isinstance(1, stand_in.Tensor))
from handlerkit.backends.realtorch import real_torch
torch = real_torch(1)
import safetensors.torch, transformers
reply = otf.create_predict_response([torch.ones(2)], {0: "r"}, "ok", 200)
print(json.dumps(dict(
    before, real=torch.__version__ != "", same=otf.torch is torch is sys.modules["torch"],
    jit=torch.jit.script(torch.nn.Identity())(torch.ones(1)).item(), tensor_reply=b"PK" in bytes(reply),
    transformers=transformers.utils.is_torch_available(),
    saved=safetensors.torch.load(safetensors.torch.save({"a": torch.ones(1)}))["a"].item(),
    path=any("stub" in p for p in sys.path), inherited=os.environ["PYTHONPATH"],
)))
"""

BLOCKED = """
import sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p]
import torch as stand_in
path = list(sys.path)
try:
    stand_in.leave_for_the_real_one()
except ImportError as error:
    print(error.name, sys.modules["torch"] is stand_in, sys.path == path)
"""


def python(code: str, path: str, cwd: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with ``path`` as its PYTHONPATH."""
    environ = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_torchserve_writes_the_same_bytes_with_it_as_with_the_real_one(tmp_path: Path) -> None:
    stub, real = python(ENCODE, str(STUB), tmp_path), python(ENCODE, "", tmp_path)
    assert (stub.stderr.splitlines()[0], real.stderr.splitlines()[0]) == ("True", "False")
    assert stub.stdout == real.stdout
    assert len(stub.stdout.splitlines()) == 12 * 4 + 4


def test_it_leaves_for_the_real_one_everywhere(tmp_path: Path) -> None:
    found = json.loads(python(LEAVE, f"{STUB}{os.pathsep}/elsewhere", tmp_path).stdout)
    assert found == {
        "stub": True, "tensor": False, "real": True, "same": True, "jit": 1.0, "tensor_reply": True,
        "transformers": True, "saved": 1.0, "path": False, "inherited": "/elsewhere",
    }


def test_it_stays_where_there_is_no_real_one(tmp_path: Path) -> None:
    assert python(BLOCKED, str(STUB), tmp_path, "-S").stdout.split() == ["torch", "True", "True"]


def test_it_names_itself_where_more_is_wanted_of_it(tmp_path: Path) -> None:
    code = "import torch\ntry: torch.ones\nexcept AttributeError as e: print(e)\ntry: import torch.nn\nexcept ImportError as e: print(e)"
    first, second = python(code, str(STUB), tmp_path).stdout.splitlines()
    assert "marline's stand-in for torch" in first
    assert second == "No module named 'torch.nn'"
