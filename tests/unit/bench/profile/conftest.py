"""Small real archives to profile, one for each engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from marline.serve import Served, read_archive
from server import tiny_archives as tiny

BODIES = [b'{"text": "good"}', b'{"text": "bad a b"}', b'{"text": "good a"}', b'{"text": "c"}', b'{"text": "a b c"}']


@pytest.fixture
def onnx_archive(tmp_path: Path) -> Served:
    return read_archive(tiny.classifier(tmp_path / "archives" / "onnx.mar"))


@pytest.fixture
def torch_archive(tmp_path: Path) -> Served:
    return read_archive(tiny.classifier(tmp_path / "archives" / "torch.mar", "torchscript-fp32"))
