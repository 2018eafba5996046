"""What the gate found of the real model, on whatever CPU class this is."""

from __future__ import annotations

from typing import Any

import pytest

from marline.artifact.mar import digest
from marline.artifact.store import Store
from marline.spec import ModelSpec

# the speed-up over eager fp32 that the best eligible int8 variant must reach, by CPU class
INT8_SPEED_UP = {"avx2": 2.7, "avx512-vnni": 5.0}
KEYS = {
    "status", "eligible", "accuracy", "agreement", "p50_ratio", "p95_ratio", "throughput_ratio", "size_bytes",
    "rss_bytes", "flips_solo_vs_batch", "load_seconds", "missed",
}  # fmt: skip


def test_every_required_variant_passed(report: dict[str, Any], spec: ModelSpec) -> None:
    failed = [n for n, v in spec.variants.items() if v.required and report["variants"][n]["status"] != "pass"]
    assert failed == []


def test_every_variant_of_the_spec_is_in_the_report(report: dict[str, Any], spec: ModelSpec) -> None:
    assert set(report["variants"]) == set(spec.variants)
    for name, entry in report["variants"].items():
        if entry["status"] == "pass" and entry["runs_on_this_cpu"]:
            assert set(entry) >= KEYS, name
        assert entry["status"] in ("pass", "fail")


def test_only_what_passed_has_an_archive_and_the_report_names_its_digest(
    report: dict[str, Any], store: Store, spec: ModelSpec
) -> None:
    passed = {n for n, e in report["variants"].items() if e["status"] == "pass"}
    assert set(store.variants(spec.name, spec.version)) == passed
    for name in passed:
        assert digest(store.archive(spec.name, spec.version, name)) == report["variants"][name]["sha256"]


def test_evidence_of_this_cpu_class_lies_beside_each_archive_that_runs_here(
    report: dict[str, Any], store: Store, spec: ModelSpec
) -> None:
    for name in store.variants(spec.name, spec.version):
        evidence = store.evidence(spec.name, spec.version, name)
        assert (report["cpu_class"] in evidence) == report["variants"][name]["runs_on_this_cpu"], name


def test_the_best_int8_variant_is_as_fast_as_promised_for_this_cpu_class(report: dict[str, Any]) -> None:
    if report["cpu_class"] not in INT8_SPEED_UP:
        pytest.skip(f"no promise for CPU class {report['cpu_class']}")
    ratios = {n: e["p50_ratio"] for n, e in report["variants"].items() if "int8" in n and e["eligible"]}
    assert max(ratios.values()) >= INT8_SPEED_UP[report["cpu_class"]], ratios


def test_the_default_is_the_fastest_eligible_variant(report: dict[str, Any]) -> None:
    eligible = {n: e["p50_ratio"] for n, e in report["variants"].items() if e["eligible"]}
    assert report["default_variant"] == max(eligible, key=lambda n: eligible[n])


def test_the_model_is_better_than_a_linear_head_on_the_frozen_encoder(report: dict[str, Any], spec: ModelSpec) -> None:
    # 79 % is what the frozen encoder with a linear head reached on a hold-out of the same data
    assert report["variants"][spec.reference]["test_accuracy"] > 0.82
