"""An archive needs nothing but itself, numpy and its engine."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from unit.artifact import samples

WORKER = """
import importlib, json, sys
directory, packages = sys.argv[1:]
sys.path += [directory, packages]  # no .pth file is read: nothing installed as editable can be imported

class Context:
    def __init__(self):
        self.system_properties, self.log = {"model_dir": directory}, []
    def get_request_header(self, index, key):
        return None
    def set_response_content_type(self, index, value):
        self.log.append([index, value])
    def set_response_status(self, code, phrase, idx=0):
        self.log.append([idx, code])
    def set_response_header(self, index, key, value):
        self.log.append([index, key])

try:
    importlib.import_module("marline.errors")
    sys.exit("marline can be imported: the test proves nothing")
except ImportError:
    pass
handler, context = importlib.import_module("tensor").TensorModel(), Context()
handler.initialize(context)
ask = lambda x: {"body": json.dumps({"inputs": {"x": x}}).encode()}
answers = handler.handle([ask([[1, 2], [3, 4]]), ask([["poison"]]), ask([[5, 6]])], context)
where = [sys.modules[name].__file__ for name in ("handlerkit", "tensor")]
print(json.dumps({"answers": [json.loads(a) for a in answers], "log": context.log, "where": where}))
"""


def test_an_archive_answers_in_a_fresh_interpreter_elsewhere(tmp_path: Path) -> None:
    unpacked, elsewhere = tmp_path / "unpacked", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(samples.archive(tmp_path / "build", scale=2.0)) as archive:
        archive.extractall(unpacked)
    command = [sys.executable, "-I", "-S", "-B", "-c", WORKER, str(unpacked), sysconfig.get_path("purelib")]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    first, poisoned, last = found["answers"]
    assert first["outputs"] == {"y": [[2.0, 4.0], [6.0, 8.0]]}
    assert poisoned["code"] == 400
    assert last["outputs"] == {"y": [[10.0, 12.0]]}
    assert [1, 400] in found["log"]
    assert all(Path(path).is_relative_to(unpacked) for path in found["where"])
