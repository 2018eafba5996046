"""Classes of TorchServe's frontend, each changed in one thing; anything else is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from marline.errors import ServeError
from marline.serve.torchserve import lost_jobs, no_wait, overlay, raw_forms
from marline.serve.torchserve.environ import require_torchserve


@pytest.fixture
def frontend() -> Path:
    return require_torchserve() / "ts" / "frontend"


def original(frontend: Path, name: str) -> bytes:
    with zipfile.ZipFile(frontend / overlay.JAR) as jar:
        return jar.read(name)


@pytest.mark.parametrize("waits", [True, False])
def test_each_class_is_written_changed(frontend: Path, tmp_path: Path, waits: bool) -> None:
    overlay.overlay(frontend, tmp_path / "classes", waits=waits)
    written = {p.relative_to(tmp_path / "classes").as_posix() for p in (tmp_path / "classes").rglob("*") if p.is_file()}
    assert written == {raw_forms.CLASS, lost_jobs.CLASS} | (set() if waits else {no_wait.CLASS})
    for name in written:
        assert (tmp_path / "classes" / name).read_bytes() != original(frontend, name)


def test_forms_are_compared_with_another_name(frontend: Path) -> None:
    data = original(frontend, raw_forms.CLASS)
    changed = raw_forms.renamed(data)
    assert raw_forms.COMPARED in data
    assert raw_forms.COMPARED not in changed
    assert len(data) - len(changed) == len(raw_forms.COMPARED) - len(raw_forms.INSTEAD)


def test_only_seven_branches_become_nothing(frontend: Path) -> None:
    data = original(frontend, lost_jobs.CLASS)
    changed = lost_jobs.told(data)
    assert len(changed) == len(data)
    different = [i for i, (old, new) in enumerate(zip(data, changed, strict=True)) if old != new]
    starts = [i for i in different if data[i] == 0xC6 and changed[i : i + 3] == b"\x57\x00\x00"]
    assert len(starts) == lost_jobs.COPIES
    assert set(different) <= {i + k for i in starts for k in range(3)}


def test_the_wait_for_a_batch_is_one_of_zero(frontend: Path) -> None:
    data = original(frontend, no_wait.CLASS)
    changed = no_wait.impatient(data)
    assert len(changed) == len(data)
    different = [i for i, (old, new) in enumerate(zip(data, changed, strict=True)) if old != new]
    first, second = different
    assert second == first + 1
    # lload 6 (the delay) is lconst_0 and nop: as many bytes, as much on the stack
    assert (data[first : second + 1], changed[first : second + 1]) == (b"\x16\x06", b"\x09\x00")
    # between the load of the queue and the unit of time, before the call of poll
    assert data[first - 2 : first] == b"\x19\x05"
    assert (data[second + 1], data[second + 4]) == (0xB2, 0xB6)


@pytest.mark.parametrize("waiting", [True, False])
def test_the_class_that_waits_is_looked_at_only_where_it_is_mended(
    frontend: Path, tmp_path: Path, waiting: bool
) -> None:
    with zipfile.ZipFile(tmp_path / overlay.JAR, "w") as jar:
        for name in (raw_forms.CLASS, lost_jobs.CLASS):
            jar.writestr(name, original(frontend, name))
        jar.writestr(no_wait.CLASS, original(frontend, no_wait.CLASS) + b"\0")
    if waiting:
        overlay.overlay(tmp_path, tmp_path / "classes", waits=True)
        return
    with pytest.raises(ServeError, match=r"wlm/Model\.class is not the one of TorchServe 0\.12\.0; `pip install --force-"):
        overlay.overlay(tmp_path, tmp_path / "classes", waits=False)


def test_another_class_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / overlay.JAR, "w") as jar:
        jar.writestr(raw_forms.CLASS, b"another")
    with pytest.raises(ServeError, match=r"is not the one of TorchServe 0\.12\.0; `pip install --force-reinstall"):
        overlay.overlay(tmp_path, tmp_path / "classes", waits=True)
    assert not (tmp_path / "classes").exists()


def test_a_missing_jar_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"model-server\.jar: cannot be read .*; install torchserve again"):
        overlay.overlay(tmp_path, tmp_path / "classes", waits=True)


@pytest.mark.parametrize("times", [0, 2])
def test_a_class_that_names_it_otherwise_is_refused(times: int) -> None:
    entry = b"\x01\x00\x21" + raw_forms.COMPARED
    with pytest.raises(ServeError, match=f"{times} times instead of once"):
        raw_forms.renamed(entry * times)


def test_a_class_without_the_condition_is_refused() -> None:
    with pytest.raises(ServeError, match="has the condition 0 times instead of 7"):
        lost_jobs.told(b"another class")


@pytest.mark.parametrize("times", [0, 2])
def test_a_class_that_waits_otherwise_is_refused(frontend: Path, times: int) -> None:
    once = b"\x19\x05\x16\x06\xb2\x01\xf2\xb6\x01\xf8"
    assert original(frontend, no_wait.CLASS).count(once) == 1
    with pytest.raises(ServeError, match=rf"Model\.class: waits for a batch {times} times instead of once; use TorchServe"):
        no_wait.impatient(once * times)
