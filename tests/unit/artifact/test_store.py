"""Reading what was published, and refusing what is damaged."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from marline.artifact.store import Store
from marline.errors import StoreError
from unit.artifact import samples
from unit.artifact.samples import MODEL


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("store"))
    for version in ("1.10.0", "1.9.0", "1.9.1"):
        samples.publish(store, version, variants=("onnx-int8", "onnx-fp32"))
    return store.root


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Store:
    subprocess.run(["cp", "-r", str(published), str(tmp_path / "store")], check=True)
    return Store(tmp_path / "store")


def test_listing_is_in_order_of_meaning(store: Store) -> None:
    assert store.models() == [MODEL]
    assert store.versions(MODEL) == ["1.9.0", "1.9.1", "1.10.0"]
    assert store.variants(MODEL, "1.9.0") == ["onnx-fp32", "onnx-int8"]
    assert store.versions("another") == []
    assert Store(store.root / "nowhere").models() == []


def test_the_layout_is_the_documented_one(store: Store) -> None:
    base = f"{MODEL}/1.9.0"
    files = [name for name in samples.tree(store.root) if name.startswith(base)]
    assert sorted(files) == [
        f"{base}/onnx-fp32/manifest.json", f"{base}/onnx-fp32/scaler-1.9.0-onnx-fp32.mar", f"{base}/onnx-fp32/scaler-1.9.0-onnx-fp32.mar.sha256",
        f"{base}/onnx-int8/manifest.json", f"{base}/onnx-int8/scaler-1.9.0-onnx-int8.mar", f"{base}/onnx-int8/scaler-1.9.0-onnx-int8.mar.sha256",
        f"{base}/report.html", f"{base}/report.json",
    ]  # fmt: skip
    directory = store.directory(MODEL, "1.9.0", "onnx-fp32")
    subprocess.run(["sha256sum", "-c", "--quiet", "scaler-1.9.0-onnx-fp32.mar.sha256"], cwd=directory, check=True)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("other", "1.9.0", None), "no model 'other' (there are: scaler); build it with `marline build other`"),
        (("../x", "1.9.0", None), "no model '../x' (there are: scaler)"),
        ((MODEL, "2.0.0", None), "no version '2.0.0' of scaler (there are: 1.9.0, 1.9.1, 1.10.0)"),
        ((MODEL, "1.9.0", "onnx"), "no variant 'onnx' of scaler 1.9.0 (there are: onnx-fp32, onnx-int8)"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(store: Store, asked: tuple[str, str, str | None], sentence: str) -> None:
    with pytest.raises(StoreError) as caught:
        store.directory(*asked)
    assert sentence in str(caught.value)


def test_what_was_published_is_read_back(store: Store) -> None:
    manifest = store.manifest(MODEL, "1.9.0", "onnx-int8")
    assert (manifest.model, manifest.served_version) == (MODEL, "1.9.0-onnx-int8")
    assert (store.report(MODEL, "1.9.0") or {})["default_variant"] == "onnx-int8"
    (store.root / MODEL / "1.9.0" / "report.json").unlink()
    assert store.report(MODEL, "1.9.0") is None


def test_unpacked_lends_the_files_and_takes_them_back(store: Store) -> None:
    from handlerkit import backends
    from handlerkit import manifest as manifests

    with store.unpacked(MODEL, "1.9.0", "onnx-fp32") as directory:
        import numpy as np

        backend = backends.load(manifests.read(directory), directory)
        assert backend.run({"x": np.ones((1, 2), np.float32)})["y"].tolist() == [[2.0, 2.0]]
    assert not directory.exists()


def test_evidence_names_the_archive_it_was_measured_on(store: Store) -> None:
    digest = store.sha256(MODEL, "1.9.0", "onnx-fp32")
    store.write_evidence(MODEL, "1.9.0", "onnx-fp32", "avx2", {"sha256": digest, "p50": 1})
    store.write_evidence(MODEL, "1.9.0", "onnx-fp32", "avx2", {"sha256": digest, "p50": 2})
    assert store.evidence(MODEL, "1.9.0", "onnx-fp32") == {"avx2": {"sha256": digest, "p50": 2}}
    before = samples.tree(store.root)
    for document in ({"sha256": "0" * 64}, {}):
        with pytest.raises(StoreError, match=rf"it was measured on the archive .*, the archive here is {digest}; measure this one"):
            store.write_evidence(MODEL, "1.9.0", "onnx-fp32", "avx512", document)
    with pytest.raises(StoreError, match=r"CPU class '../avx2' is unfit"):
        store.write_evidence(MODEL, "1.9.0", "onnx-fp32", "../avx2", {"sha256": digest})
    assert samples.tree(store.root) == before


def test_verify_accepts_what_was_published(store: Store) -> None:
    found = store.verify(MODEL, "1.9.0")
    assert found == {name: store.sha256(MODEL, "1.9.0", name) for name in ("onnx-fp32", "onnx-int8")}


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-100]), "the archive is truncated or damaged: its sha256 is "),
        (lambda p: p.write_bytes(p.read_bytes().replace(b"latency_ms", b"latency_MS")), "the archive is changed: its sha256 is "),
        (lambda p: p.unlink(), "the archive is missing"),
        (lambda p: (p.parent / "manifest.json").write_text("{}"), "manifest.json: is not the manifest inside "),
        (lambda p: p.with_name(p.name + ".sha256").write_text("x"), "is not `<sha256>  scaler-1.9.0-onnx-int8.mar`"),
        (lambda p: p.with_name(p.name + ".sha256").unlink(), "cannot be read"),
    ],
)
def test_verify_says_what_is_damaged_and_what_to_do(store: Store, damage: object, sentence: str) -> None:
    damage(store.archive(MODEL, "1.9.0", "onnx-int8"))  # type: ignore[operator]
    with pytest.raises(StoreError) as caught:
        store.verify(MODEL, "1.9.0")
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(
        "restore it from a copy, or delete it with `marline registry gc scaler --version 1.9.0` and build it again with `marline build scaler`"
    )
    with pytest.raises(StoreError), store.unpacked(MODEL, "1.9.0", "onnx-int8"):
        pass
    assert store.verify(MODEL, "1.9.1")


def test_a_damaged_report_is_one_sentence(store: Store) -> None:
    path = store.root / MODEL / "1.9.0" / "report.json"
    for content in ("{", json.dumps([])):
        path.write_text(content)
        with pytest.raises(StoreError, match=r"report.json: .*; build it again with `marline build scaler`"):
            store.report(MODEL, "1.9.0")
