"""Handler files are found in a checkout and in an installed wheel."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from marline.artifact.handlers import handler_for, handlerkit_dir
from marline.errors import BuildError

ROOT = Path(__file__).resolve().parents[3]
NAMES = {"text-classification": "text_classification.py", "embedding": "embedding.py", "tensor": "tensor.py"}
ASK = """
import sys
sys.path[:0] = sys.argv[1:]
from marline.artifact.handlers import handler_for, handlerkit_dir
print(handlerkit_dir(), *map(handler_for, ("text-classification", "embedding", "tensor")), sep="\\n")
"""


def test_in_a_checkout() -> None:
    assert handlerkit_dir() == ROOT / "handlers" / "handlerkit"
    assert {task: handler_for(task) for task in NAMES} == {t: ROOT / "handlers" / n for t, n in NAMES.items()}


def test_in_an_installed_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = (tmp_path / "site").resolve()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    command = [sys.executable, "-I", "-S", "-c", ASK, str(site), sysconfig.get_path("purelib")]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    data = site / "marline" / "_data" / "handlers"
    assert done.stdout.split() == [str(p) for p in (site / "handlerkit", *(data / n for n in NAMES.values()))]
    for name in NAMES.values():
        assert (data / name).read_bytes() == (ROOT / "handlers" / name).read_bytes()


def test_a_task_without_handler_is_refused() -> None:
    with pytest.raises(BuildError, match=r"task 'vision' has no handler \(allowed: text-classification, embedding, tensor\)"):
        handler_for("vision")
