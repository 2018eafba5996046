from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from marline.build.sources.cache import cache_dir, once, sha256_of, unpack
from marline.errors import SourceError
from unit.build import tiny


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "cache"))
    return cache_dir()


def test_it_appears_whole_or_not_at_all(cache: Path):
    def broken(scratch: Path) -> None:
        (scratch / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(cache / "a" / "b", broken)
    assert list((cache / "a").iterdir()) == []

    def whole(scratch: Path) -> None:
        (scratch / "one").write_text("1")
        assert not (cache / "a" / "b").exists()
        (scratch / "two").write_text("2")

    made = once(cache / "a" / "b", whole)
    assert sorted(p.name for p in made.iterdir()) == ["one", "two"]
    assert [p.name for p in (cache / "a").iterdir()] == ["b"]
    assert once(cache / "a" / "b", broken) == made


def test_what_another_process_made_meanwhile_is_kept(cache: Path):
    target = cache / "b"

    def overtaken(scratch: Path) -> None:
        (scratch / "mine").write_text("x")
        target.mkdir()
        (target / "theirs").write_text("x")

    assert [p.name for p in once(target, overtaken).iterdir()] == ["theirs"]


def test_a_path_that_cannot_be_made_is_one_sentence(cache: Path):
    (cache / "file").write_text("in the way")
    with pytest.raises(SourceError, match=r"file: cannot be made; set MARLINE_CACHE to another folder"):
        once(cache / "file", lambda scratch: None)


@pytest.mark.parametrize("name", ["x.whl", "x.zip", "x.tar.gz"])
@pytest.mark.parametrize("content", [b"no archive", tiny.tarball({"a": bytes(100000)})[:80]])
def test_a_corrupt_archive_is_one_sentence_and_leaves_nothing(name: str, content: bytes, tmp_path: Path, cache: Path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        unpack(path, "0" * 64)
    assert str(caught.value).startswith(f"{path}: cannot be unpacked (")
    assert str(caught.value).endswith("; delete it and run the command again")
    assert "\n" not in str(caught.value)
    assert list((cache / "unpacked").iterdir()) == []


def test_an_archive_is_unpacked_once_per_digest(tmp_path: Path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(tiny.tarball({"a/b.txt": b"text"}))
    folder = unpack(path, "1" * 64)
    assert (folder / "a" / "b.txt").read_bytes() == b"text"
    path.unlink()
    assert unpack(path, "1" * 64) == folder


def test_an_archive_that_points_outside_is_refused(tmp_path: Path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(tiny.tarball({"../../outside.txt": b"text"}))
    with pytest.raises(SourceError, match=r"cannot be unpacked"):
        unpack(path, "2" * 64)
    assert not list(tmp_path.rglob("outside.txt"))


def test_digest_of_a_file_and_of_a_folder(tmp_path: Path):
    folder = tmp_path / "f"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "b").write_bytes(b"B")
    (folder / "a").write_bytes(b"A")
    one = {name: hashlib.sha256(data).hexdigest() for name, data in (("a", b"A"), ("b", b"B"))}
    assert sha256_of(folder / "a") == one["a"]
    assert sha256_of(folder) == hashlib.sha256(f"{one['a']}  a\n{one['b']}  sub/b\n".encode()).hexdigest()
    (folder / "a").rename(folder / "c")
    assert sha256_of(folder) == hashlib.sha256(f"{one['a']}  c\n{one['b']}  sub/b\n".encode()).hexdigest()


def test_a_cache_that_cannot_be_made_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "taken"))
    with pytest.raises(SourceError, match=r"taken: the cache cannot be made .*set MARLINE_CACHE to a writable folder"):
        cache_dir()
