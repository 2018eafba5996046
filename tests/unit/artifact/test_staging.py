"""Publishing: whole or not at all, and never changed afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from marline.artifact.mar import digest, pack
from marline.artifact.store import Store
from marline.errors import StoreError
from unit.artifact import samples
from unit.artifact.samples import MODEL

TESTS = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_nothing_is_visible_before_the_commit(store: Store) -> None:
    with store.staging(MODEL, "1.0.0") as staging:
        manifest = samples.stage(staging.variant("onnx-fp32"))
        sha256 = pack(staging.variant("onnx-fp32"), manifest, staging.archive("onnx-fp32"))
        assert store.models() == []
        assert samples.tree(store.root) == {}
        assert staging.commit() == {"onnx-fp32": sha256}
        assert store.versions(MODEL) == ["1.0.0"]
    assert digest(store.archive(MODEL, "1.0.0", "onnx-fp32")) == sha256 == store.sha256(MODEL, "1.0.0", "onnx-fp32")


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_leaving_without_commit_removes_everything(store: Store, error: type[BaseException] | None) -> None:
    def leave() -> None:
        with store.staging(MODEL, "1.0.0") as staging:
            samples.stage(staging.variant("onnx-fp32"))
            if error:
                raise error

    if error:
        with pytest.raises(error):
            leave()
    else:
        leave()
    assert store.models() == []
    assert not list(store.root.glob(".staging/*"))


def test_the_same_bytes_again_only_update_report_and_evidence(store: Store) -> None:
    first = samples.publish(store, "1.0.0")
    archive = store.archive(MODEL, "1.0.0", "onnx-fp32")
    inode = archive.stat().st_ino
    with store.staging(MODEL, "1.0.0") as staging:
        assert staging.published_sha256("onnx-fp32") == first["onnx-fp32"]
        assert staging.published_sha256("onnx-int8") is None
        pack(staging.variant("onnx-fp32"), samples.stage(staging.variant("onnx-fp32")), staging.archive("onnx-fp32"))
        (staging.variant("onnx-fp32") / "evidence").mkdir()
        (staging.variant("onnx-fp32") / "evidence" / "avx2.json").write_text(json.dumps({"sha256": first["onnx-fp32"], "p50": 3}))
        (staging.path / "report.json").write_text(json.dumps({"second": True}))
        assert staging.commit() == first
    assert archive.stat().st_ino == inode
    assert store.evidence(MODEL, "1.0.0", "onnx-fp32")["avx2"]["p50"] == 3
    assert store.report(MODEL, "1.0.0") == {"second": True}
    assert (store.root / MODEL / "1.0.0" / "report.html").is_file()


def test_a_variant_may_be_added(store: Store) -> None:
    samples.publish(store, "1.0.0")
    samples.publish(store, "1.0.0", variants=("onnx-int8",))
    assert store.variants(MODEL, "1.0.0") == ["onnx-fp32", "onnx-int8"]
    store.verify(MODEL, "1.0.0")


def test_other_bytes_are_refused_and_nothing_changes(store: Store) -> None:
    old = samples.publish(store, "1.0.0")
    before = samples.tree(store.root)
    with pytest.raises(StoreError) as caught:
        samples.publish(store, "1.0.0", scale=3.0, variants=("onnx-int8", "onnx-fp32"))
    sentence = str(caught.value)
    assert sentence.startswith(f"scaler 1.0.0 is published and cannot change: variant onnx-fp32 has sha256 {old['onnx-fp32']}, this build made ")
    assert "raise `version:` in the spec, or delete the unpublished candidate with `marline registry gc scaler --version 1.0.0`" in sentence
    assert samples.tree(store.root) == before


def test_what_is_staged_must_be_complete_and_be_what_it_says(store: Store) -> None:
    with store.staging(MODEL, "1.0.0") as staging, pytest.raises(StoreError, match="no archive was staged"):
        staging.commit()
    with store.staging(MODEL, "1.0.0") as staging:
        manifest = samples.stage(staging.variant("onnx-fp32"))
        pack(staging.variant("onnx-fp32"), manifest, staging.variant("onnx-fp32") / "other.mar")
        with pytest.raises(StoreError, match=r"the staged archive is not named scaler-1.0.0-onnx-fp32.mar"):
            staging.commit()
    with store.staging(MODEL, "1.0.1") as staging:
        pack(staging.variant("onnx-fp32"), samples.stage(staging.variant("onnx-fp32")), staging.archive("onnx-fp32"))
        with pytest.raises(StoreError, match=r"the staged archive says it is scaler 1.0.0-onnx-fp32"):
            staging.commit()
    with store.staging(MODEL, "1.0.0") as staging:
        staging.archive("onnx-fp32").write_bytes(b"PK truncated")
        with pytest.raises(StoreError, match="is truncated or no marline archive"):
            staging.commit()
    with store.staging(MODEL, "1.0.0") as staging:
        pack(staging.variant("onnx-fp32"), samples.stage(staging.variant("onnx-fp32")), staging.archive("onnx-fp32"))
        (staging.variant("onnx-fp32") / "evidence").mkdir()
        (staging.variant("onnx-fp32") / "evidence" / "avx2.json").write_text('{"sha256": "other"}')
        with pytest.raises(StoreError, match="it was measured on the archive other"):
            staging.commit()
    assert store.models() == []


@pytest.mark.parametrize(("model", "version"), [("../x", "1.0.0"), ("x", "1.0"), ("x", "../1.0.0"), ("X", "1.0.0")])
def test_names_that_cannot_be_published_are_refused(store: Store, model: str, version: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be published \(allowed: "):
        store.staging(model, version)
    assert not store.root.exists()


BUILDER = """
import sys, time
from marline.artifact.store import Store
from marline.artifact.mar import pack
from unit.artifact import samples
with Store(sys.argv[1]).staging("scaler", "1.0.0") as staging:
    manifest = samples.stage(staging.variant("onnx-fp32"))
    pack(staging.variant("onnx-fp32"), manifest, staging.archive("onnx-fp32"))
    print("staged", flush=True)
    sys.stdin.read()
"""


def test_a_killed_build_leaves_nothing_visible_and_the_next_one_works(store: Store) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(store.root)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "staged\n"
        with pytest.raises(StoreError, match=rf"scaler is being built by another process \(pid {builder.pid}\); wait for it to end"):
            samples.publish(store, "1.0.0")
        with store.staging("another", "1.0.0"):
            pass  # another model is not held up
        builder.send_signal(signal.SIGKILL)
        builder.wait()
    assert list(store.root.glob(".staging/scaler/*")), "the killed build left its material, out of sight"
    assert store.models() == []
    assert samples.tree(store.root) == {}
    with store.staging(MODEL, "1.0.0") as staging:
        assert list(store.root.glob(".staging/scaler/*")) == [staging.path], "the next build frees the disk first"
    samples.publish(store, "1.0.0")
    assert store.versions(MODEL) == ["1.0.0"]
    assert not list(store.root.glob(".staging/scaler*"))


def test_a_commit_that_is_cut_short_shows_no_half_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version appears in one rename: fail exactly there, and just before."""
    original = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if Path(target).name == "1.0.0":
            raise OSError("cut")
        return original(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(OSError, match="cut"):
        samples.publish(store, "1.0.0", variants=("onnx-fp32", "onnx-int8"))
    monkeypatch.undo()
    assert store.models() == []
    assert samples.publish(store, "1.0.0", variants=("onnx-fp32", "onnx-int8"))
    assert store.variants(MODEL, "1.0.0") == ["onnx-fp32", "onnx-int8"]
