"""One class of TorchServe's frontend, changed in one name; anything else is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from marline.errors import ServeError
from marline.serve.torchserve import raw_forms
from marline.serve.torchserve.environ import require_torchserve


@pytest.fixture
def frontend() -> Path:
    return require_torchserve() / "ts" / "frontend"


def test_one_class_is_written_with_one_name_changed(frontend: Path, tmp_path: Path) -> None:
    assert raw_forms.overlay(frontend, tmp_path / "classes") == tmp_path / "classes"
    (written,) = [p for p in (tmp_path / "classes").rglob("*") if p.is_file()]
    assert written.relative_to(tmp_path / "classes").as_posix() == raw_forms.CLASS
    with zipfile.ZipFile(frontend / "model-server.jar") as jar:
        original = jar.read(raw_forms.CLASS)
    changed = written.read_bytes()
    assert raw_forms.COMPARED in original
    assert raw_forms.COMPARED not in changed
    assert len(original) - len(changed) == len(raw_forms.COMPARED) - len(raw_forms.INSTEAD)


def test_another_class_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model-server.jar", "w") as jar:
        jar.writestr(raw_forms.CLASS, b"another")
    with pytest.raises(ServeError, match=r"is not the frontend of TorchServe 0\.12\.0; `pip install --force-reinstall"):
        raw_forms.overlay(tmp_path, tmp_path / "classes")
    assert not (tmp_path / "classes").exists()


def test_a_missing_jar_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"model-server\.jar: cannot be read .*; install torchserve again"):
        raw_forms.overlay(tmp_path, tmp_path / "classes")


@pytest.mark.parametrize("times", [0, 2])
def test_a_class_that_names_it_otherwise_is_refused(times: int) -> None:
    entry = b"\x01\x00\x21" + raw_forms.COMPARED
    with pytest.raises(ServeError, match=f"{times} times instead of once"):
        raw_forms.renamed(entry * times)
