"""A real TorchServe, shared by the tests that only ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marline.serve import TorchServer, serve
from server import tiny_archives as tiny


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("archives")
    return {
        "int8": tiny.classifier(root / "int8.mar", "onnx-int8"),
        "fp32": tiny.classifier(root / "fp32.mar", "onnx-fp32"),
        "script": tiny.classifier(root / "script.mar", "torchscript-fp32"),
        "doubler": tiny.doubler(root / "doubler.mar"),
    }


@pytest.fixture(scope="session")
def server(archives: dict[str, Path]) -> Iterator[TorchServer]:
    order = [archives[name] for name in ("int8", "fp32", "script", "doubler")]
    with serve(order, tiny.SETTINGS, port=0) as running:
        running.wait_ready()
        yield running
