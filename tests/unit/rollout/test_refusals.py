"""Every wrong value of a release is refused, in one sentence that begins with its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marline.artifact.store import Store
from unit.rollout.conftest import evidence
from unit.spec.conftest import DELETE

MAIN, CANARY = "variants.main", "variants.canary"
SCALING, SERVER, LIMITS = f"{MAIN}.autoscaling", f"{MAIN}.server", f"{MAIN}.resources.server"
ROUTES = {"parent_refs": [{"name": "public"}]}
PROMETHEUS = {"prometheus": "http://prometheus:9090"}

WRONG: list[tuple[list[tuple[str, Any]], str, str]] = [
    # types and ranges
    ([("namespace", 7)], "namespace", "7 is not allowed; allowed: text"),
    ([("namespace", "Models")], "namespace", "'Models' is not allowed"),
    ([("image", DELETE)], "image", "required key is missing"),
    ([("image.tag", "latest")], "image.tag", "latest moves"),
    ([("image.tag", DELETE)], "image.tag", "neither tag nor digest is given"),
    ([("image.digest", "sha256:12")], "image.digest", "'sha256:12' is not allowed"),
    ([(f"{CANARY}.replicas", "2")], f"{CANARY}.replicas", "'2' is not allowed; allowed: a whole number"),
    ([(f"{CANARY}.replicas", -1)], f"{CANARY}.replicas", "-1 is not allowed; allowed: a whole number >= 0"),
    ([(f"{SERVER}.workers", 2.5)], f"{SERVER}.workers", "2.5 is not allowed; allowed: a whole number"),
    ([(f"{SERVER}.batch_size", True)], f"{SERVER}.batch_size", "True is not allowed"),
    ([(f"{MAIN}.version", "1.0")], f"{MAIN}.version", "'1.0' is not allowed"),
    ([(f"{SCALING}.wait_ms", 0)], f"{SCALING}.wait_ms", "0 is not allowed; allowed: a number > 0"),
    ([(f"{MAIN}.archive", {"kind": "nfs"})], f"{MAIN}.archive.kind", "'nfs' is not allowed; allowed: image, pvc, hostPath, url"),
    ([(f"{MAIN}.archive", {"kind": "pvc"})], f"{MAIN}.archive.claim", "required key is missing"),
    ([(f"{MAIN}.archive", {"kind": "url", "url": "ftp://x/y.mar"})], f"{MAIN}.archive.url", "'ftp://x/y.mar' is not allowed"),
    ([(f"{MAIN}.cpu_features", ["avx2"])], f"{MAIN}.cpu_features.0", "'avx2' is not allowed; allowed: text (in quotes where it looks like a number) matching ^[A-Z]"),
    ([("variants", {})], "variants", "{} is not allowed; allowed: a mapping of keys to values, at least 1"),
    ([("variants", ["main"])], "variants", "is not allowed"),
    # unknown keys
    ([("varaints", {})], "varaints", "unknown key; did you mean 'variants'?"),
    ([(f"{SERVER}.thread", 1)], f"{SERVER}.thread", "unknown key; did you mean 'threads'?"),
    ([(f"{SCALING}.max_replica", 4)], f"{SCALING}.max_replica", "unknown key; did you mean 'max_replicas'?"),
    ([(f"{MAIN}.pod", {"sidecars": []})], f"{MAIN}.pod.sidecars", "unknown key; allowed:"),
    ([("chart", {"replicas": 1})], "chart.replicas", "unknown key; allowed:"),
    # between keys
    ([(f"{SCALING}.min_replicas", 5)], f"{SCALING}.min_replicas", "5 is greater than max_replicas 4"),
    ([(f"{MAIN}.replicas", 2)], f"{MAIN}.replicas", "stands beside autoscaling"),
    ([(f"{SCALING}.queue", PROMETHEUS), (f"{SCALING}.cpu_percent", 70)], f"{SCALING}.cpu_percent", "stands beside queue"),
    ([("front", {"headers_timeout_s": 31})], "front.headers_timeout_s", "31 is greater than request_timeout_s 30"),
    ([(f"{LIMITS}.cpu_request", 3)], f"{LIMITS}.cpu_request", "3 is more than cpu 2"),
    ([(f"{LIMITS}.memory_mb", 4000), (f"{LIMITS}.memory_request_mb", 5000)], f"{LIMITS}.memory_request_mb", "5000 is more than memory_mb 4000"),
    # between endpoints
    ([(f"{MAIN}.weight", 95)], "variants.*.weight", "95 + 10 add up to 105; allowed: weights that add up to 100"),
    ([(f"{CANARY}.weight", DELETE)], f"{CANARY}.weight", "required with more than one variant"),
    ([("variants.main", DELETE), ("primary", "canary"), (f"{CANARY}.weight", 50)], "variants.*.weight", "50 add up to 50"),
    ([("primary", "mian")], "primary", "'mian' is no key of variants; did you mean 'main'? allowed: main, canary"),
    ([("primary", DELETE)], "primary", "required with more than one variant; allowed: main, canary"),
    ([("variants.Main", {"model": "scaler", "version": "1.0.0", "variant": "onnx-fp32", "weight": 0})], "variants.Main", "'Main' cannot name a Service"),
    ([(f"{MAIN}.variant", "onnx-fp23")], f"{MAIN}.variant", "unknown variant 'onnx-fp23'; did you mean 'onnx-fp32'? allowed: eager-fp32"),
    # the ways in
    ([("routes", {})], "routes.parent_refs", "required key is missing"),
    ([("routes", {"parent_refs": []})], "routes.parent_refs", "[] is not allowed"),
    ([("routes", {**ROUTES, "host": "a"})], "routes.host", "unknown key"),
    ([("routes", {**ROUTES, "hostnames": ["a:80"]})], "routes.hostnames.0", "'a:80' is not allowed"),
    ([("routes", {**ROUTES, "timeouts": {"request_s": 50, "backend_request_s": 60}})], "routes.timeouts.backend_request_s", "60 is greater than request_s 50"),
    ([("ingress", {"tls": [{"secret_name": "a", "hosts": ["a.com"]}]})], "ingress.tls.0.hosts", "'a.com' is no entry of hosts; allowed: none, because hosts is empty"),
    ([("routes", ROUTES), ("ingress", {})], "ingress", "stands beside routes"),
    ([("routes", ROUTES), (f"{CANARY}.replicas", 0)], f"{CANARY}.replicas", "0 pods for weight 10: the gateway answers that share with 503; release weight 0 first"),
    # what the settings come to
    ([(f"{SERVER}.threads", 2)], f"{SERVER}.threads", "2 workers x 2 threads is 4, more than resources.server.cpu 2 rounded up"),
    ([(f"{SERVER}.workers", 3)], f"{SERVER}.workers", "3 workers x 1 threads is 3, more than resources.server.cpu 2"),
    ([(f"{CANARY}.resources", {"server": {"cpu_request": 2}})], f"{CANARY}.resources.server.cpu_request", "2 is more than workers x threads, 1"),
    ([(f"{LIMITS}.memory_mb", 300)], f"{LIMITS}.memory_mb", "300 is less than heap"),
    ([(f"{LIMITS}.memory_request_mb", 9000)], f"{LIMITS}.memory_request_mb", "9000 is more than the limit"),
    ([(f"{MAIN}.grace_s", 39)], f"{MAIN}.grace_s", "39 is too short: drain.seconds 5 + response_timeout_s 30 + 5 = 40; give at least that"),
    ([(f"{SERVER}.batch_size", 101)], f"{SERVER}.batch_size", "batch_size 101 is more than queue_size 100"),
    ([(f"{SERVER}.queue_size", 7)], f"{SERVER}.queue_size", "batch_size 8 is more than queue_size 7"),
    ([(f"{SERVER}.queue_size", 5000)], f"{SERVER}.queue_size", "need a heap of"),
    ([(f"{SERVER}.max_batch_delay_ms", 1000), (f"{SERVER}.response_timeout_s", 1)], f"{SERVER}.max_batch_delay_ms", "1000 is not less than response_timeout_s 1"),
    ([(f"{LIMITS}.cpu_request", 1), (f"{SCALING}.cpu_percent", 201)], f"{SCALING}.cpu_percent", "201 percent of the request 1 is more than the limit 2"),
    ([(f"{SCALING}.memory_percent", 101)], f"{SCALING}.memory_percent", "101 percent of the request"),
    ([(f"{SCALING}.queue", {**PROMETHEUS, "target": 100})], f"{SCALING}.queue.target", "a target of 100 waiting requests is not less than queue_size 100"),
    # what the store says
    ([(f"{MAIN}.model", "sclaer")], f"{MAIN}.model", "no model 'sclaer' (there are: scaler)"),
    ([(f"{MAIN}.version", "1.0.1")], f"{MAIN}.version", "no version '1.0.1' of scaler (there are: 1.0.0)"),
    ([(f"{MAIN}.variant", "onnx-int8-static")], f"{MAIN}.variant", "no variant 'onnx-int8-static' of scaler 1.0.0 (there are: onnx-fp32, onnx-int8)"),
    ([(f"{MAIN}.cpu_class", "avx512")], f"{MAIN}.cpu_class", "was not measured on CPU class 'avx512' (measured: avx2)"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key", "sentence"), WRONG, ids=[f"{key}:{said[:24]}" for _, key, said in WRONG])
def test_a_wrong_value_is_one_problem_at_its_key(
    problems: Callable[..., list[str]], changes: list[tuple[str, Any]], key: str, sentence: str
) -> None:
    (found,) = problems(*changes)
    assert found.startswith(f"{key}: ")
    assert sentence in found


def test_the_release_that_they_change_is_right(problems: Callable[..., list[str]]) -> None:
    assert problems() == []


def test_all_problems_are_found_at_once(problems: Callable[..., list[str]]) -> None:
    found = problems(
        ("namspace", "x"),
        (f"{MAIN}.weight", 80),
        (f"{MAIN}.variant", "onnx-fp23"),
        (f"{SCALING}.min_replicas", 5),
        (f"{MAIN}.replicas", 3),
        (f"{SERVER}.threads", 2),
        (f"{SERVER}.wrokers", 2),
        (f"{MAIN}.grace_s", 1),
        (f"{CANARY}.version", "9.9.9"),
        (f"{CANARY}.replicas", "many"),
        (f"{CANARY}.resources", {"server": {"cpu": 1, "cpu_request": 0.5, "memory_mb": 10}}),
    )
    assert sorted(line.partition(": ")[0] for line in found) == sorted([
        "namspace", "variants.*.weight", f"{MAIN}.variant", f"{SCALING}.min_replicas", f"{MAIN}.replicas", f"{SERVER}.threads",
        f"{SERVER}.wrokers", f"{MAIN}.grace_s", f"{CANARY}.version", f"{CANARY}.replicas",
        f"{CANARY}.resources.server.memory_mb",
    ])  # fmt: skip


def test_a_broken_rule_hides_no_other_problem(problems: Callable[..., list[str]]) -> None:
    found = problems((f"{MAIN}.replicas", 3), (f"{SERVER}.threads", 2))
    assert [line.partition(": ")[0] for line in found] == [f"{MAIN}.replicas", f"{SERVER}.threads"]


def test_what_follows_from_a_wrong_value_is_no_problem_of_its_own(problems: Callable[..., list[str]]) -> None:
    (found,) = problems((f"{CANARY}.version", DELETE), (f"{CANARY}.replicas", 1))
    assert found.startswith(f"{CANARY}.version: required key is missing")
    (found,) = problems((f"{SERVER}.workers", "two"))
    assert found.startswith(f"{SERVER}.workers: 'two' is not allowed")


def test_an_archive_that_is_missing_or_changed_is_refused(store: Store, problems: Callable[..., list[str]]) -> None:
    archive = store.archive("scaler", "1.0.0", "onnx-fp32")
    content = bytearray(archive.read_bytes())
    content[-1] ^= 1
    archive.write_bytes(content)
    (found,) = problems()
    assert found.startswith(f"{MAIN}.variant: {archive}: the archive is ")
    assert f"published was {store.sha256('scaler', '1.0.0', 'onnx-fp32')}" in found
    archive.unlink()
    (found,) = problems()
    assert found.startswith(f"{MAIN}.variant: {archive}: the archive is missing; restore it")


def test_evidence_that_does_not_count_is_refused(store: Store, problems: Callable[..., list[str]]) -> None:
    evidence(store, "onnx-fp32", eligible=False, missed=["max_rss_mb"])
    (found,) = problems()
    assert found.startswith(f"{MAIN}.variant: scaler 1.0.0 onnx-fp32 is not eligible on CPU class avx2 (max_rss_mb)")
    evidence(store, "onnx-fp32", times_ms=[])
    (found,) = problems()
    assert "its evidence for avx2 holds no times" in found
    evidence(store, "onnx-fp32")
    evidence(store, "onnx-fp32", "avx512")
    (found,) = problems()
    assert "was measured on avx2, avx512; name one of them as `cpu_class`" in found
    assert problems((f"{MAIN}.cpu_class", "avx512")) == []


def test_a_target_needs_a_measurement_or_a_number(store: Store, problems: Callable[..., list[str]]) -> None:
    for path in Path("model_store").rglob("evidence/*.json"):
        path.unlink()
    (found,) = problems()
    assert found.startswith(f"{SCALING}.cpu_percent: no target follows, because scaler 1.0.0 onnx-fp32 was not measured")
    (found,) = problems((f"{SCALING}.queue", PROMETHEUS))
    assert found.startswith(f"{SCALING}.queue.target: no target follows")
    assert problems((f"{SCALING}.cpu_percent", 60)) == []


def test_a_model_without_spec_is_refused(problems: Callable[..., list[str]]) -> None:
    Path("config/models/scaler.yaml").unlink()
    found = problems()
    assert [line.partition(": config/")[0] for line in found] == [
        f"{endpoint}.model: the model's `serving` cannot be read" for endpoint in (MAIN, CANARY)
    ]
