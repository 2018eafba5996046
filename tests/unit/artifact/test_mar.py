"""Packing: the same content gives the same bytes; what is packed is what the manifest says."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from handlerkit import manifest as manifests
from marline.artifact.handlers import handlerkit_dir
from marline.artifact.mar import digest, files_of, pack
from marline.errors import BuildError
from unit.artifact import samples


def test_two_directories_at_two_times_give_equal_bytes(tmp_path: Path) -> None:
    packed = []
    for place, time in (("here", 1_000_000_000), ("another/place, with a comma [1]", 1_700_000_000)):
        directory = tmp_path / place / "stage"
        manifest = samples.stage(directory)
        for path in directory.iterdir():
            os.utime(path, (time, time))
            path.chmod(0o600 if time % 2 else 0o755)
        packed.append(tmp_path / place / "out.mar")
        assert pack(directory, manifest, packed[-1]) == digest(packed[-1])
    assert packed[0].read_bytes() == packed[1].read_bytes()


def test_the_archive_is_sorted_stored_and_without_clock_or_umask(tmp_path: Path) -> None:
    with zipfile.ZipFile(samples.archive(tmp_path)) as archive:
        entries = archive.infolist()
        torchserve = json.loads(archive.read("MAR-INF/MANIFEST.json"))
    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {e.compress_type for e in entries} == {zipfile.ZIP_STORED}
    assert {e.external_attr >> 16 for e in entries} == {stat.S_IFREG | 0o644}
    assert torchserve["createdOn"] == "01/01/1980 00:00:00"
    assert torchserve["model"] == {"modelName": "scaler", "modelVersion": "1.0.0-onnx-fp32", "handler": "tensor.py"}


def test_the_archive_holds_the_artifact_its_handler_and_all_of_handlerkit(tmp_path: Path) -> None:
    with zipfile.ZipFile(samples.archive(tmp_path)) as archive:
        names = set(archive.namelist())
        packed = manifests.loads(archive.read("manifest.json"))
    kit = {f"handlerkit/{p.relative_to(handlerkit_dir()).as_posix()}" for p in handlerkit_dir().rglob("*.py")}
    assert names == {"manifest.json", "model.onnx", "tensor.py", "MAR-INF/MANIFEST.json", *kit}
    assert packed == manifests.read(tmp_path / "stage")


def test_files_in_folders_keep_their_place_and_strangers_stay_out(tmp_path: Path) -> None:
    manifest = samples.stage(tmp_path)
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary" / "words.txt").write_text("a\n")
    (tmp_path / "notes.txt").write_text("not in the manifest")
    manifest = replace(manifest, files=files_of(tmp_path, ["vocabulary/words.txt", "model.onnx"]))
    pack(tmp_path, manifest, tmp_path / "out" / "scaler.mar")
    with zipfile.ZipFile(tmp_path / "out" / "scaler.mar") as archive:
        assert archive.read("vocabulary/words.txt") == b"a\n"
        assert "notes.txt" not in archive.namelist()


def test_parallel_builds_of_one_name_do_not_meet(tmp_path: Path) -> None:
    foreign = Path(tempfile.gettempdir()) / samples.MODEL  # where the archiver would stage, emptying it first
    already = foreign.exists()
    results: dict[int, Path] = {}
    threads = [
        threading.Thread(target=lambda i=i: results.__setitem__(i, samples.archive(tmp_path / str(i), scale=float(i))))
        for i in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, path in results.items():
        with zipfile.ZipFile(path) as archive:
            assert archive.read("model.onnx") == (tmp_path / str(i) / "stage" / "model.onnx").read_bytes()
    assert len(results) == 3
    assert foreign.exists() == already


def test_a_file_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    manifest = samples.stage(tmp_path / "stage")
    (tmp_path / "stage" / "model.onnx").write_bytes(b"other")
    with pytest.raises(BuildError, match=r"model.onnx: missing, or not the file of \d+ bytes and sha256 .*; build it again"):
        pack(tmp_path / "stage", manifest, tmp_path / "out.mar")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["stage"]


def test_a_failing_archiver_leaves_nothing(tmp_path: Path) -> None:
    manifest = replace(samples.stage(tmp_path / "stage"), model="no spaces allowed")
    with pytest.raises(BuildError, match=r"torch-model-archiver could not lay out no spaces allowed 1.0.0-onnx-fp32: "):
        pack(tmp_path / "stage", manifest, tmp_path / "out.mar")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["stage"]


def test_files_of_describes_and_sorts(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"bb")
    (tmp_path / "a").write_bytes(b"")
    assert [(f.path, f.size) for f in files_of(tmp_path, ["b", "a"])] == [("a", 0), ("b", 2)]
    assert files_of(tmp_path, ["b"])[0].sha256 == hashlib.sha256(b"bb").hexdigest()
