from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from marline.build.sources import resolve
from marline.build.sources.cache import sha256_of
from marline.errors import SourceError
from marline.spec.model import ModelSpec
from unit.build import tiny


@pytest.fixture
def folder(toy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy, tmp_path / "toy"))


def _spec(folder: Path, **changes: Any) -> ModelSpec:
    return ModelSpec.model_validate(tiny.spec_document(folder, None, {"eager-fp32": {}}) | changes)


def test_a_folder_beside_the_spec(folder: Path):
    found = resolve(_spec(folder), folder)
    assert (found.path, found.base) == (folder / "model", folder)
    assert (found.record.uri, found.record.sha256) == ("file:model", sha256_of(folder / "model"))
    assert found.input("trained.safetensors") == folder / "trained.safetensors"


@pytest.mark.parametrize(("name", "key"), [("trained.safetensors", "trained.sha256"), ("model/config.json", "source.sha256")])
def test_another_file_than_the_spec_names_is_refused_with_both_digests(name: str, key: str, folder: Path):
    spec = _spec(folder)
    (folder / name).write_bytes(b"other")
    path = folder / name.split("/")[0]
    named = spec.trained.sha256 if key.startswith("trained") else spec.source.sha256
    with pytest.raises(SourceError) as caught:
        resolve(spec, folder)
    assert str(caught.value) == (
        f"{path}: has sha256 {sha256_of(path)}, {key} of toy says {named}; restore the file, or write the new digest and raise `version:`"
    )


def test_a_missing_file_is_refused(folder: Path):
    spec = _spec(folder)
    (folder / "trained.safetensors").unlink()
    with pytest.raises(SourceError, match=r"trained.safetensors: does not exist; trained.sha256 of toy names it, put it there"):
        resolve(spec, folder)
    assert resolve(spec, folder, untrained=True).path == folder / "model"


def test_a_path_that_the_distribution_lacks(folder: Path, links: Path):
    sha256 = tiny.wheel(links, "toypackage", "1.0", {"toypackage/m.onnx": b"1"})
    source = {"kind": "pypi", "package": "toypackage", "version": "1.0", "sha256": sha256, "path": "toypackage/m.onnx"}
    found = resolve(_spec(folder, source=source), folder)
    assert found.path.read_bytes() == b"1"
    assert (found.record.uri, found.record.revision) == ("pypi:toypackage/toypackage/m.onnx", "1.0")
    with pytest.raises(SourceError, match=r"toypackage 1.0: holds no 'other'; correct `source.path` of toy"):
        resolve(_spec(folder, source=source | {"path": "other"}), folder)
