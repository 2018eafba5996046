"""What the image's build takes over from pip's configuration on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import image  # noqa: E402

TORCH = (ROOT / "requirements" / "torch.txt").read_text().rpartition("torch==")[2].strip()


def test_environment_variables_stand_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://all.example/\ntimeout = 7\n[install]\nindex-url = https://file.example/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert image.pip_configuration()["index-url"] == "https://file.example/"
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/")
    found = image.pip_configuration()
    assert found["index-url"] == "https://variable.example/"
    assert found["timeout"] == "7"


def test_only_wheels_of_this_torch_are_taken_out_of_local_folders(tmp_path: Path) -> None:
    links, context = tmp_path / "links", tmp_path / "context"
    links.mkdir()
    context.mkdir()
    wanted = f"torch-{TORCH}+cpu-cp311-cp311-linux_x86_64.whl"
    for name in (wanted, "torch-0.1.0-cp311-cp311-linux_x86_64.whl", "torchserve-0.12.0-py3-none-any.whl"):
        (links / name).touch()
    image.copy_links(f"https://links.example/ {tmp_path}/none {links}", context)
    assert [file.name for file in context.iterdir()] == [wanted]
