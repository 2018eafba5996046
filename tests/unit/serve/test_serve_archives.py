"""Damage and disagreement are found before a server sees the archive, each in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from marline.errors import ServeError
from marline.serve import read_archive
from server import tiny_archives as tiny


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.doubler(tmp_path_factory.mktemp("archive") / "doubler.mar")


def sentence(path: Path) -> str:
    with pytest.raises(ServeError) as caught:
        read_archive(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_a_whole_one_is_read(whole: Path) -> None:
    served = read_archive(whole)
    assert (served.path, served.manifest.model, served.manifest.served_version) == (whole, "doubler", "1.0.0-onnx-fp32")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_truncated_one_is_refused(whole: Path, tmp_path: Path, kept: float) -> None:
    data = whole.read_bytes()
    cut = tmp_path / "cut.mar"
    cut.write_bytes(data[: int(len(data) * kept)])
    assert sentence(cut) == f"{cut}: is not a whole .mar archive (File is not a zip file); build it again with `marline build`"


def test_a_flipped_bit_is_found(whole: Path, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[data.index(b"doubler", data.index(b"model.onnx"))] ^= 1
    flipped = tmp_path / "flipped.mar"
    flipped.write_bytes(data)
    assert "is not a whole .mar archive (Bad CRC-32 for file" in sentence(flipped)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    assert sentence(tmp_path / "no.mar") == f"{tmp_path / 'no.mar'}: cannot be read (No such file or directory); check the path"


def _renamed(key: str, value: str) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        document = json.loads(text)
        document["model"][key] = value
        return json.dumps(document).encode()

    return change


@pytest.mark.parametrize(
    ("entry", "change", "found"),
    [
        ("model.onnx", lambda data: data + b"\0", "model.onnx has "),
        ("model.onnx", lambda data: bytes(reversed(data)), "its manifest says "),
        ("model.onnx", lambda data: None, "model.onnx is listed in its manifest and missing"),
        ("manifest.json", lambda data: None, "holds no manifest.json"),
        ("manifest.json", lambda data: data[:-9], "not JSON"),
        ("MAR-INF/MANIFEST.json", lambda data: None, "holds no MAR-INF/MANIFEST.json"),
        ("MAR-INF/MANIFEST.json", lambda data: b"[]", "names no modelName, modelVersion and handler"),
        ("MAR-INF/MANIFEST.json", _renamed("modelName", "tripler"), "modelName 'tripler', its manifest 'doubler'"),
        ("MAR-INF/MANIFEST.json", _renamed("modelVersion", "1.0.0"), "modelVersion '1.0.0', its manifest '1.0.0-onnx-fp32'"),
        ("MAR-INF/MANIFEST.json", _renamed("handler", "other.py"), "names the handler 'other.py', which is not inside"),
        ("tensor.py", lambda data: None, "names the handler 'tensor.py', which is not inside"),
    ],
)
def test_what_disagrees_is_named(
    whole: Path, tmp_path: Path, entry: str, change: Callable[[bytes], bytes | None], found: str
) -> None:
    text = sentence(tiny.rewritten(whole, tmp_path / "changed.mar", {entry: change}))
    assert found in text
    assert text.endswith("build it again with `marline build`") or "rebuild the archive" in text


def test_an_entry_that_leaves_the_archive_is_refused(whole: Path, tmp_path: Path) -> None:
    import zipfile

    escaping = tiny.rewritten(whole, tmp_path / "escaping.mar", {})
    with zipfile.ZipFile(escaping, "a") as archive:
        archive.writestr("../escaped.py", b"")
    assert "'../escaped.py', which points outside" in sentence(escaping)
