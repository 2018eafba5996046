"""``build_model`` for real: a brought ONNX model, and a two-layer text model with data and golden requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlerkit import manifest as manifests
from handlerkit.machine import cpu_class
from marline.artifact.measuring import measure_model
from marline.artifact.pipeline import BuildResult, build_model
from marline.artifact.store import Store
from marline.build import golden
from marline.build.sources import load_text_source, resolve
from marline.build.sources.cache import sha256_of
from marline.errors import BuildError, GateError, SpecError, StoreError
from marline.spec import load_compat, load_model_spec
from marline.spec.compat import Compat
from marline.spec.model import ModelSpec
from unit.artifact import brought
from unit.artifact.samples import tree
from unit.build import tiny

UNPROVEN = Compat(torchserve="0.12.0", proven=[], bad=[])
EASY = {"max_load_seconds": 10000, "max_p50_ratio_to_eager": 1000, "max_rss_mb": 1e6, "reason": "this machine is busy with other tests"}


def build(path: Path, store: Store, compat: Compat | None = None, **options: Any) -> BuildResult:
    return build_model(load_model_spec(path), path.parent, store, compat or load_compat(), lambda line: None, **options)


def digests(store: Store, model: str) -> dict[str, str]:
    return {v: sha256_of(store.archive(model, "1.0.0", v)) for v in store.variants(model, "1.0.0")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


# a brought model


def test_an_unchanged_build_is_taken_from_the_store(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    first = build(path, store)
    before = {p: p.stat().st_mtime_ns for p in store.root.rglob("*") if p.is_file()}
    second = build(path, store)
    assert (first.fresh, second.fresh) == (True, False)
    assert second.report == first.report
    assert {p: p.stat().st_mtime_ns for p in store.root.rglob("*") if p.is_file()} == before
    assert store.variants("brought", "1.0.0") == ["onnx-fp32", "onnx-int8"]
    assert store.verify("brought", "1.0.0") == digests(store, "brought")


def test_one_published_archive_that_was_damaged_is_not_called_unchanged(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    build(path, store)
    store.archive("brought", "1.0.0", "onnx-int8").write_bytes(b"damaged")
    with pytest.raises(StoreError, match=r"brought-1.0.0-onnx-int8.mar"):
        build(path, store)


def test_the_same_version_of_another_model_is_refused(tmp_path: Path, store: Store):
    build(brought.write(tmp_path / "spec"), store)
    before = tree(store.root)
    with pytest.raises(StoreError, match=r"is published and cannot change: variant onnx-fp32 .*raise `version:` in the spec"):
        build(brought.write(tmp_path / "spec", seed=1), store)
    assert tree(store.root) == before


def test_a_required_variant_that_misses_a_limit_publishes_nothing(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec", variants__onnx_int8={"required": True, "gates": {"max_abs": 1e-6}})
    with pytest.raises(GateError) as caught:
        build(path, store)
    sentence = str(caught.value)
    assert sentence.startswith("brought 1.0.0: required variant onnx-int8 failed: ")
    assert "max_abs 0." in sentence
    assert ", allowed 1e-06" in sentence
    assert "nothing was published, see " in sentence
    assert "\n" not in sentence
    assert store.models() == []
    assert tree(store.root) == {}
    failed = store.root / ".failed" / "brought-1.0.0"
    entry = json.loads((failed / "report.json").read_text())["variants"]["onnx-int8"]
    assert (entry["status"], entry["eligible"]) == ("fail", False)
    assert "max_abs" in [m["limit"] for m in entry["missed"]]
    assert "max_abs" in (failed / "report.html").read_text()
    assert list((store.root / ".staging").rglob("*.mar")) == []


def test_an_optional_variant_that_misses_a_limit_is_left_out_and_reported(tmp_path: Path, store: Store):
    found = build(brought.write(tmp_path / "spec", variants__onnx_int8={"gates": {"max_abs": 1e-6}}), store)
    assert store.variants("brought", "1.0.0") == ["onnx-fp32"]
    assert found.report["variants"]["onnx-int8"]["status"] == "fail"
    assert found.report["default_variant"] == "onnx-fp32"
    assert store.report("brought", "1.0.0") == found.report


def test_a_loosened_limit_lets_it_pass_and_its_reason_is_printed(tmp_path: Path, store: Store):
    reason = "scores are only ranked, never read"
    gates = {"min_cosine": -1, "min_sqnr_db": -99, "max_abs": 50, "min_agreement": 0, "reason": reason}
    found = build(brought.write(tmp_path / "spec", variants__onnx_int8={"gates": gates}), store).report
    entry = found["variants"]["onnx-int8"]
    assert (entry["status"], entry["loosened_because"], entry["limits"]["max_abs"]) == ("pass", reason, 50)
    page = (store.directory("brought", "1.0.0") / "report.html").read_text()
    assert reason in page


def test_no_eligible_variant_publishes_nothing(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec", variants={"onnx-fp32": {"gates": {"max_rss_mb": 1}}})
    with pytest.raises(GateError, match=f"no variant is eligible on CPU class {cpu_class()}; see .*report.html, and loosen a limit"):
        build(path, store)
    assert store.models() == []


def test_only_some_variants_and_later_the_rest(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec", variants={"onnx-fp32": {}, "onnx-int8": EASY_GATES, "onnx-int8-vnni": EASY_GATES})
    build(path, store, only=["onnx-int8"])
    assert store.variants("brought", "1.0.0") == ["onnx-fp32", "onnx-int8"]
    first = digests(store, "brought")
    assert build(path, store, only=["onnx-int8"]).fresh is False
    found = build(path, store)
    assert found.fresh is True
    assert set(found.report["variants"]) == {"onnx-fp32", "onnx-int8", "onnx-int8-vnni"}
    assert first.items() <= digests(store, "brought").items()


EASY_GATES = {"gates": EASY}


def test_an_unknown_variant_is_refused_with_those_there_are(tmp_path: Path, store: Store):
    with pytest.raises(BuildError, match=r"^brought: has no variant 'onnx-fp16'; allowed: onnx-fp32, onnx-int8$"):
        build(brought.write(tmp_path / "spec"), store, only=["onnx-fp16"])
    assert not store.root.exists()


def test_unproven_versions_are_a_warning_in_report_and_evidence_or_an_error(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    with pytest.raises(SpecError, match=r"not a proven row"):
        build(path, store, UNPROVEN, strict=True)
    assert not store.root.exists()
    [warning] = build(path, store, UNPROVEN).report["warnings"]
    assert "not a proven row" in warning
    assert store.evidence("brought", "1.0.0", "onnx-fp32")[cpu_class()]["warnings"] == [warning]
    assert warning.split(":")[0] in (store.directory("brought", "1.0.0") / "report.html").read_text()


def test_measuring_writes_evidence_and_touches_no_archive(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    built = build(path, store).report
    evidence = {v: store.directory("brought", "1.0.0", v) / "evidence" / f"{cpu_class()}.json" for v in ("onnx-fp32", "onnx-int8")}
    for file in evidence.values():
        file.unlink()
    archives = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in store.root.rglob("*.mar*")}
    found = measure_model(load_model_spec(path), path.parent, store, UNPROVEN, lambda line: None)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in store.root.rglob("*.mar*")} == archives
    for variant, file in evidence.items():
        document = json.loads(file.read_text())
        assert document["sha256"] == store.sha256("brought", "1.0.0", variant)
        assert document["measured"]["p50_ms"] == found["variants"][variant]["p50_ms"]
        assert document["warnings"] == found["warnings"] != []
    assert store.report("brought", "1.0.0") == found
    # quality is the artifact's: it is not judged again
    assert found["variants"]["onnx-int8"]["sqnr_db"] == built["variants"]["onnx-int8"]["sqnr_db"]
    assert found["variants"]["onnx-int8"]["times_ms"] != built["variants"]["onnx-int8"]["times_ms"]
    with pytest.raises(SpecError, match=r"not a proven row"):
        measure_model(load_model_spec(path), path.parent, store, UNPROVEN, lambda line: None, strict=True)


def test_a_published_variant_that_the_report_lacks_is_named_and_not_measured(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    build(path, store)
    report = store.directory("brought", "1.0.0") / "report.json"
    document = json.loads(report.read_text())
    del document["variants"]["onnx-int8"]
    report.write_text(json.dumps(document))
    said: list[str] = []
    found = measure_model(load_model_spec(path), path.parent, store, load_compat(), said.append)
    assert list(found["variants"]) == ["onnx-fp32"]
    assert any(line.startswith("onnx-int8: is not in the version's report") for line in said)


def test_measuring_what_was_never_built_is_refused(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    with pytest.raises(StoreError, match=r"no model 'brought' \(there are: none\); build it with `marline build brought`"):
        measure_model(load_model_spec(path), path.parent, store, load_compat(), lambda line: None)


BUILDS_AND_STOPS_BEFORE_IT_IS_VISIBLE = """
import sys
from pathlib import Path
from marline.artifact import atomic, pipeline
from marline.artifact.store import Store
from marline.spec import load_compat, load_model_spec
def stop(directory):
    print("all is staged", flush=True)
    sys.stdin.read()
atomic.sync_tree = stop
path = Path(sys.argv[1])
pipeline.build_model(load_model_spec(path), path.parent, Store(sys.argv[2]), load_compat(), lambda line: None)
"""


def test_a_killed_build_leaves_no_half_version_and_the_next_one_makes_the_same_bytes(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    command = [sys.executable, "-c", BUILDS_AND_STOPS_BEFORE_IT_IS_VISIBLE, str(path), str(store.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "all is staged\n"
        assert list(store.root.rglob("*.mar"))
        with pytest.raises(StoreError, match=f"brought is being built by another process .pid {process.pid}."):
            build(path, store)
        process.kill()
    assert store.models() == []
    assert tree(store.root) == {}
    assert build(path, store).fresh
    assert list((store.root / ".staging").rglob("*.mar")) == []
    elsewhere = Store(tmp_path / "elsewhere")
    build(brought.write(tmp_path / "other" / "folder"), elsewhere)
    assert digests(elsewhere, "brought") == digests(store, "brought")


def test_an_archive_that_answers_its_golden_requests_wrongly_is_not_published(tmp_path: Path, store: Store):
    path = brought.write(tmp_path / "spec")
    recorded = golden.Golden({"inputs": {"x": [[0.0] * 16]}}, None, {"y": [[0.0, 0.0, 0.5, 0.0]]})
    golden.write(path.parent / "golden.json", [recorded])
    named = {"file": "golden.json", "sha256": sha256_of(path.parent / "golden.json")}
    with pytest.raises(GateError) as caught:
        build(brought.write(tmp_path / "spec", golden=named), store)
    assert "required variant onnx-fp32 failed: brought 1.0.0-onnx-fp32: golden request 0 answered wrongly: output 'y' differs by 0.5" in str(caught.value)
    assert store.models() == []


# a text model


class Text:
    """One text model built into two stores."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / "toy.yaml"
        (root / "links").mkdir()
        tiny.trained_file(tiny.model_folder(root / "model"), root / "trained.safetensors")
        variants = {n: {"gates": EASY, "golden_atol": 1.0} for n in ("eager-fp32", "torchscript-fp32", "onnx-fp32", "onnx-int8")}
        document = tiny.spec_document(root, tiny.data_wheel(root / "links"), variants)
        spec = ModelSpec.model_validate(document)
        golden.write(root / "golden.json", golden.record_text(spec, load_text_source(spec, resolve(spec, root))))
        document["golden"] = {"file": "golden.json", "sha256": sha256_of(root / "golden.json")}
        self.path.write_text(json.dumps(document))  # JSON is YAML
        self.one, self.two = Store(root / "one"), Store(root / "two")
        self.result = build(self.path, self.one)
        build(self.path, self.two, only=["torchscript-fp32", "onnx-int8"])


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Text]:
    root = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(root / "links"))
        patch.setenv("PIP_CONFIG_FILE", "/dev/null")
        patch.setenv("MARLINE_CACHE", str(root / "cache"))
        yield Text(root)


def test_two_builds_of_a_text_model_give_the_same_archives(text_model: Text):
    found = digests(text_model.one, "toy")
    assert list(found) == ["eager-fp32", "torchscript-fp32", "onnx-fp32", "onnx-int8"]
    assert digests(text_model.two, "toy") == {n: found[n] for n in ("eager-fp32", "torchscript-fp32", "onnx-int8")}
    assert build(text_model.path, text_model.one).fresh is False


def test_the_report_of_a_text_model_says_how_good_and_how_fast(text_model: Text):
    report = text_model.result.report
    assert report["items"]["gate"] > 150
    for name, entry in report["variants"].items():
        assert (entry["status"], entry["eligible"]) == ("pass", True), (name, entry["missed"], entry["error"])
        assert entry["accuracy"] > 0.95
        assert entry["test_accuracy"] > 0.95
        assert entry["agreement"] > 0.99
        for key in ("p50_ratio", "p95_ratio", "throughput_ratio", "size_bytes", "rss_bytes", "load_seconds"):
            assert entry[key] > 0
    assert report["variants"]["eager-fp32"]["p50_ratio"] == 1.0
    assert report["variants"]["onnx-int8"]["size_bytes"] < report["variants"]["onnx-fp32"]["size_bytes"]
    assert report["default_variant"] == max(report["variants"], key=lambda n: report["variants"][n]["p50_ratio"])
    assert EASY["reason"] in (text_model.one.directory("toy", "1.0.0") / "report.html").read_text()


def test_the_archive_carries_golden_requests_and_tokenizer_but_no_measurement(text_model: Text):
    with text_model.one.unpacked("toy", "1.0.0", "onnx-int8") as folder:
        manifest = manifests.read(folder)
        assert (folder / "tokenizer.json").read_bytes() == (text_model.root / "model" / "tokenizer.json").read_bytes()
    assert [g.label for g in manifest.golden] == ["positive", "negative"]
    assert "p50_ms" not in manifests.dumps(manifest)
