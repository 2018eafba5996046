"""The same spec gives the same archives: in another directory, at another time, with other instructions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marline.artifact.store import Store
from marline.spec import ModelSpec

ROOT = Path(__file__).resolve().parents[2]
# what torch, MKL and oneDNN would use on a CPU without AVX
PLAIN_CPU = {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"}
PACK = """
import json, sys, tempfile
from pathlib import Path
from marline.artifact.mar import pack
from marline.artifact.staged import Stage
from marline.build.sources import resolve
from marline.spec import load_model_spec
path, root, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
spec = load_model_spec(path)
with tempfile.TemporaryDirectory() as scratch:
    stage = Stage(spec, resolve(spec, path.parent), root, Path(scratch))
    staged = {name: stage.build(name) for name in names}
    print(json.dumps({n: pack(s.directory, s.manifest, root / f"{n}.mar") for n, s in staged.items()}))
"""


@pytest.mark.parametrize("environment", [{}, PLAIN_CPU], ids=["same-cpu", "plain-cpu"])
def test_built_again_every_archive_has_the_same_digest(
    environment: dict[str, str], tmp_path: Path, store: Store, spec: ModelSpec
) -> None:
    names = store.variants(spec.name, spec.version)
    path = ROOT / "config" / "models" / f"{spec.name}.yaml"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PACK, str(path), str(tmp_path), ",".join(names)],
        env=os.environ | environment | {"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout.splitlines()[-1])
    assert again == {name: store.sha256(spec.name, spec.version, name) for name in names}
