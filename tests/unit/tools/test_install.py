"""The install: torch from wherever pip's configuration offers it, everything else pinned by hash."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "requirements"
TORCH = re.search(r"^torch==(\S+)$", (REQUIREMENTS / "torch.txt").read_text(), re.MULTILINE).group(1)


def wheel(folder: Path, version: str) -> None:
    """An empty but valid wheel of torch."""
    info = f"torch-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def chosen(folder: Path) -> str:
    """The version that the set-up's pip call would install, with ``folder`` as pip's only source."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-index"]
    command += ["--find-links", str(folder), "--report", "-", "-r", str(REQUIREMENTS / "torch.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["install"][0]["metadata"]["version"]


def test_a_cpu_wheel_is_taken_where_one_is_offered(tmp_path: Path) -> None:
    wheel(tmp_path, TORCH)
    wheel(tmp_path, f"{TORCH}+cpu")
    assert chosen(tmp_path) == f"{TORCH}+cpu"


def test_the_index_build_is_taken_otherwise(tmp_path: Path) -> None:
    wheel(tmp_path, TORCH)
    wheel(tmp_path, "99.0.0")
    assert chosen(tmp_path) == TORCH


@pytest.mark.parametrize("name", ["serve.lock", "dev.lock", "pod.lock", "graders.lock"])
def test_every_requirement_of_a_lock_has_a_hash_and_no_lock_names_an_index(name: str) -> None:
    text = (REQUIREMENTS / name).read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) > 20
    assert [e for e in entries if "--hash=sha256:" not in e] == []
    assert "://" not in text
    assert "--index-url" not in text


@pytest.mark.parametrize("name", ["serve.lock", "dev.lock", "pod.lock", "graders.lock"])
def test_no_lock_holds_torch_or_what_only_its_cuda_build_needs(name: str) -> None:
    found = re.findall(r"^([A-Za-z0-9_.-]+)==", (REQUIREMENTS / name).read_text(), re.MULTILINE)
    assert [p for p in found if p in ("torch", "triton") or p.startswith(("nvidia-", "cuda-"))] == []


def test_torch_is_the_version_that_pyproject_names() -> None:
    assert f'"torch=={TORCH}"' in (ROOT / "pyproject.toml").read_text()


def test_set_up_says_what_to_do_when_pip_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "setup_venv.py"), str(tmp_path / "venv"), "nothing"],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode != 0
    assert "allowed: dev, serve" in done.stderr
    assert not (tmp_path / "venv").exists()
