"""Stages: who may move where, what is kept, what differs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from marline.artifact import ledger, registry
from marline.artifact.store import Store
from marline.errors import StoreError
from unit.artifact import samples
from unit.artifact.samples import MODEL

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("store"))
    for number, version in enumerate(VERSIONS):
        samples.publish(store, version, scale=float(number), variants=("onnx-fp32", "onnx-int8")[: 1 + number % 2])
    return store.root


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Store:
    subprocess.run(["cp", "-r", str(published), str(tmp_path / "store")], check=True)
    return Store(tmp_path / "store")


def stages(store: Store) -> dict[str, str]:
    return {e.version: e.stage for e in registry.entries(store)}


def test_a_build_is_a_candidate_with_its_time(store: Store) -> None:
    found = registry.entries(store, MODEL)
    assert [e.version for e in found] == list(VERSIONS)
    assert {e.stage for e in found} == {"candidate"}
    assert {e.default for e in found} == {"onnx-fp32"}
    assert found[1].variants == ("onnx-fp32", "onnx-int8")
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", e.created) for e in found)
    assert registry.production(store, MODEL) is None
    assert registry.entries(store, "another") == []


def test_promotion_archives_the_one_before(store: Store) -> None:
    assert registry.promote(store, MODEL, "1.0.0").stage == "production"
    registry.promote(store, MODEL, "1.1.0")
    assert stages(store) == {"1.0.0": "archived", "1.1.0": "production", "1.2.0": "candidate", "1.3.0": "candidate"}
    history = [(c.version, c.action, c.came_from, c.went_to) for c in ledger.read(store.root, MODEL).history[-3:]]
    assert history == [
        ("1.0.0", "promote", "candidate", "production"),
        ("1.0.0", "promote", "production", "archived"),
        ("1.1.0", "promote", "candidate", "production"),
    ]


def test_promoting_what_is_in_production_writes_nothing(store: Store) -> None:
    registry.promote(store, MODEL, "1.0.0")
    before = samples.tree(store.root)
    assert registry.promote(store, MODEL, "1.0.0").stage == "production"
    assert samples.tree(store.root) == before


def test_a_damaged_or_unproven_version_is_not_promoted(store: Store) -> None:
    before = ledger.read(store.root, MODEL)
    archive = store.archive(MODEL, "1.0.0", "onnx-fp32")
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(StoreError, match="the archive is "):
        registry.promote(store, MODEL, "1.0.0")
    path = store.root / MODEL / "1.1.0" / "report.json"
    path.write_text(json.dumps(samples.report({"onnx-fp32": "fail"})))
    with pytest.raises(StoreError, match=r"no variant passed its quality gate \(onnx-fp32 fail, onnx-int8 not in the report\)"):
        registry.promote(store, MODEL, "1.1.0")
    path.unlink()
    with pytest.raises(StoreError, match="no variant passed"):
        registry.promote(store, MODEL, "1.1.0")
    with pytest.raises(StoreError, match=r"no version '9.0.0' of scaler \(there are: 1.0.0, 1.1.0, 1.2.0, 1.3.0\)"):
        registry.promote(store, MODEL, "9.0.0")
    assert ledger.read(store.root, MODEL) == before


def test_rollback_goes_back_through_history_and_never_to_what_was_rolled_back(store: Store) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.promote(store, MODEL, version)
    assert registry.rollback(store, MODEL).version == "1.1.0"
    assert stages(store)["1.2.0"] == "archived"
    registry.promote(store, MODEL, "1.3.0")
    assert registry.rollback(store, MODEL).version == "1.1.0"
    assert registry.rollback(store, MODEL).version == "1.0.0"
    assert registry.production(store, MODEL) == "1.0.0"
    with pytest.raises(StoreError, match=r"cannot be rolled back: no version was in production before 1.0.0 \(there are: 1.0.0 production, 1.1.0 archived"):
        registry.rollback(store, MODEL)


def test_rollback_without_any_production_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="scaler cannot be rolled back"):
        registry.rollback(store, MODEL)
    with pytest.raises(StoreError, match="no model 'another'"):
        registry.rollback(store, "another")


def test_gc_keeps_production_candidates_and_the_last_archived(store: Store) -> None:
    for version in VERSIONS:
        registry.promote(store, MODEL, version)
    before = samples.tree(store.root)
    planned = registry.gc(store, dry_run=True)
    assert samples.tree(store.root) == before
    assert [r.version for r in planned] == ["1.0.0"]
    assert str(planned[0]).startswith("scaler 1.0.0 (archived, ")
    assert registry.gc(store) == planned
    assert stages(store) == {"1.1.0": "archived", "1.2.0": "archived", "1.3.0": "production"}
    assert [r.version for r in registry.gc(store, MODEL, keep=0)] == ["1.1.0", "1.2.0"]
    assert stages(store) == {"1.3.0": "production"}
    assert ledger.read(store.root, MODEL).history[-1].went_to is None
    assert not (store.root / ".trash").exists()


def test_gc_frees_the_name_of_a_candidate_but_not_of_production(store: Store) -> None:
    registry.promote(store, MODEL, "1.0.0")
    with pytest.raises(StoreError, match=r"scaler 1.0.0 is in production and cannot be deleted; promote another version first"):
        registry.gc(store, MODEL, "1.0.0")
    assert [r.version for r in registry.gc(store, MODEL, "1.3.0")] == ["1.3.0"]
    assert "1.3.0" not in store.versions(MODEL)
    samples.publish(store, "1.3.0", scale=33.0)
    assert stages(store)["1.3.0"] == "candidate"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"version": "1.0.0"}, "a version without its model"),
        ({"keep": -1}, "--keep -1 is not allowed"),
        ({"model": "another"}, "no model 'another'"),
        ({"model": MODEL, "version": "9.9.9"}, "no version '9.9.9' of scaler"),
    ],
)
def test_gc_refuses_what_it_cannot_mean(store: Store, arguments: dict[str, object], sentence: str) -> None:
    before = samples.tree(store.root)
    with pytest.raises(StoreError, match=re.escape(sentence)):
        registry.gc(store, **arguments)  # type: ignore[arg-type]
    assert samples.tree(store.root) == before


def test_diff_names_what_differs_and_only_that(store: Store) -> None:
    path = store.root / MODEL / "1.1.0" / "report.json"
    path.write_text(path.read_text().replace("0.8", "0.9"))
    found = registry.diff(store, MODEL, "1.0.0", "1.1.0")
    json.dumps(found)
    assert found["default_variant"] == ["onnx-fp32", "onnx-fp32"]
    changed = found["variants"]["onnx-fp32"]
    assert changed["identical"] is False
    assert changed["report"] == {"accuracy": [0.8, 0.9]}
    assert set(changed["manifest"]) == {"files.0.sha256", "golden.0.outputs.y.0.0", "golden.0.outputs.y.0.1"}
    added = found["variants"]["onnx-int8"]
    assert added["only_in"] == "1.1.0"
    assert added["sha256"] == [None, store.sha256(MODEL, "1.1.0", "onnx-int8")]
    assert registry.diff(store, MODEL, "1.0.0", "1.0.0")["variants"]["onnx-fp32"]["identical"] is True


def test_show_has_production_in_full_or_else_the_newest(store: Store) -> None:
    assert registry.show(store, MODEL)["entry"]["version"] == "1.3.0"
    registry.promote(store, MODEL, "1.1.0")
    found = registry.show(store, MODEL)
    json.dumps(found)
    assert found["entry"]["version"] == "1.1.0"
    assert found["variants"]["onnx-int8"]["sha256"] == store.sha256(MODEL, "1.1.0", "onnx-int8")
    assert found["variants"]["onnx-int8"]["report"]["status"] == "pass"
    assert found["history"][-1]["went_to"] == "production"
    with pytest.raises(StoreError, match="no model 'another'"):
        registry.show(store, "another")


@pytest.mark.parametrize("text", ["{", '{"schema_version": 1}', '{"schema_version": 2, "stages": {}, "created": {}, "history": []}',
                                  '{"schema_version": 1, "stages": {"1.0.0": "live"}, "created": {}, "history": []}'])  # fmt: skip
def test_a_damaged_ledger_is_one_sentence(store: Store, text: str) -> None:
    (store.root / MODEL / "registry.json").write_text(text)
    with pytest.raises(StoreError, match=r"^\S*registry.json: [^\n]*$"):
        registry.promote(store, MODEL, "1.0.0")
