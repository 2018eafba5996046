from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from marline.artifact import pt2
from marline.errors import BuildError

MODEL = "data/aotinductor/model/model.wrapper"


def package(path: Path, root: str, year: int, folder: str, library: bytes = b"\x7fELF code") -> Path:
    """As torch writes it: sources with their folder, a library, an id."""
    records = {
        f"{MODEL}.cpp": f"// g++ {folder}/model.wrapper.cpp".encode(), f"{MODEL}.so": library,
        f"{MODEL}_metadata.json": b"{}", "archive_format": b"pt2", "byteorder": b"little", ".data/version": b"6\n",
        ".data/serialization_id": folder.encode(),
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in records.items() if year % 2 else reversed(records.items()):
            archive.writestr(zipfile.ZipInfo(f"{root}/{name}", (year, 1, 1, 0, 0, 0)), data)
    return path


def test_the_same_library_gives_the_same_bytes_without_sources_and_folders(tmp_path: Path):
    first = package(tmp_path / "a.pt2", "model", 1999, "/builder/one")
    second = package(tmp_path / "b.pt2", "other", 2000, "/builder/two")
    pt2.normalise(first)
    pt2.normalise(second)
    assert first.read_bytes() == second.read_bytes()
    assert b"/builder/" not in first.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.read(f"archive/{MODEL}.so") == b"\x7fELF code"
        assert not any(name.endswith(".cpp") for name in archive.namelist())
    pt2.normalise(second)
    assert first.read_bytes() == second.read_bytes()


def test_another_library_gives_another_id(tmp_path: Path):
    ids = []
    for name, library in (("a", b"\x7fELF one"), ("b", b"\x7fELF two")):
        pt2.normalise(path := package(tmp_path / name, "model", 1999, "/x", library))
        with zipfile.ZipFile(path) as archive:
            ids.append(archive.read("archive/.data/serialization_id"))
    assert ids[0] != ids[1]


@pytest.mark.parametrize("content", ["text", "empty"])
def test_what_is_no_package_is_one_sentence(tmp_path: Path, content: str):
    path = tmp_path / "model.pt2"
    if content == "text":
        path.write_text("not a package")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/archive_format", "pt2")
    before = path.read_bytes()
    with pytest.raises(BuildError, match=r"model\.pt2: is not a package of AOTInductor \(.*\); compile the model again$"):
        pt2.normalise(path)
    assert path.read_bytes() == before
