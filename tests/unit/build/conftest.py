from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from marline.build.sources import ModelSource, TextSource, load_text_source, resolve
from marline.build.variants import Context
from marline.spec.model import ModelSpec
from unit.build import tiny

TEXT_VARIANTS = (
    "eager-fp32", "torchscript-fp32", "torch-int8", "eager-bf16", "compile-fp32", "aoti-fp32", "onnx-fp32", "onnx-int8",
    "onnx-int8-vnni",
)  # fmt: skip


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``model/`` and ``trained.safetensors``; nobody writes into it."""
    folder = tmp_path_factory.mktemp("toy")
    tiny.trained_file(tiny.model_folder(folder / "model"), folder / "trained.safetensors")
    return folder


@pytest.fixture(scope="session")
def spec(toy: Path) -> ModelSpec:
    return ModelSpec.model_validate(tiny.spec_document(toy, None, {name: {} for name in TEXT_VARIANTS}))


@pytest.fixture(scope="session")
def source(toy: Path, spec: ModelSpec) -> ModelSource:
    return resolve(spec, toy)


@pytest.fixture(scope="session")
def text(spec: ModelSpec, source: ModelSource) -> TextSource:
    return load_text_source(spec, source)


@pytest.fixture
def context(
    spec: ModelSpec, source: ModelSource, text: TextSource, tmp_path: Path, shared: Path
) -> Callable[[str], Context]:
    """The build of one variant in a folder of its own."""

    def _context(variant: str) -> Context:
        return Context(spec, variant, source, text, None, tmp_path / variant, shared)

    return _context


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where variants share the exported graph."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that pip takes distributions from, and a cache of this test's own."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "cache"))
    return folder
