"""`marline replay` on real servers: the build report's agreement, a corrupted copy, tensors and recorded answers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper

from handlerkit import manifest as manifests
from marline.artifact.store import Store
from marline.cli import main
from marline.serve import TorchServer, serve
from marline.spec import load_model_spec
from pods.archives import changed, lying
from server import tiny_archives as tiny

ROOT = Path(__file__).resolve().parents[2]
MODEL, REFERENCE, INT8 = "sentiment", "eager-fp32", "onnx-int8-static"


def marline(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


@pytest.fixture(scope="session")
def store() -> Store:
    """A store with the reference and the published int8 variant: ``MARLINE_TEST_STORE``, else the checkout's own."""
    root = Path(os.environ.get("MARLINE_TEST_STORE") or ROOT / "model_store").resolve()
    found = Store(root)
    if MODEL not in found.models() or not {REFERENCE, INT8} <= set(found.variants(MODEL, found.versions(MODEL)[-1])):
        pytest.skip(f"{root} holds no {MODEL} with {REFERENCE} and {INT8}: run `make build`, or set MARLINE_TEST_STORE")
    return found


@pytest.fixture(scope="session")
def version(store: Store) -> str:
    return store.versions(MODEL)[-1]


@pytest.fixture(scope="module")
def two(store: Store, version: str) -> Iterator[tuple[TorchServer, TorchServer]]:
    """A server of the reference, and one of the int8 variant."""
    settings = load_model_spec(ROOT / "config" / "models" / f"{MODEL}.yaml", untrained=True).serving
    archives = [store.archive(MODEL, version, name) for name in (REFERENCE, INT8)]
    with serve([archives[0]], settings, port=0) as a, serve([archives[1]], settings, port=0) as b:
        a.wait_ready()
        b.wait_ready()
        yield a, b


def test_the_agreement_is_that_of_the_build_report(
    two: tuple[TorchServer, TorchServer], store: Store, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = store.report(MODEL, version)
    assert report is not None
    monkeypatch.chdir(ROOT)
    found = tmp_path / "report.json"
    done = marline(two[0].url, two[1].url, "--gate", MODEL, "--min-agreement", 0.97, "--report", found, "--show", 0)
    assert done.exit_code == 0, done.output
    document = json.loads(found.read_text())
    stated = report["variants"][INT8]["agreement"]
    assert document["agreement"] == stated
    assert document["compared"] == document["asked"] == report["items"]["gate"]
    assert len(document["differing"]) == round((1 - stated) * report["items"]["gate"]) > 0
    assert document["reference_identity"] == f"{MODEL} {version} {REFERENCE}"
    assert document["candidate_identity"] == f"{MODEL} {version} {INT8}"


def test_golden_requests_and_a_corrupted_copy(
    two: tuple[TorchServer, TorchServer], store: Store, version: str, tmp_path: Path
) -> None:
    whole = two[1]
    golden = ("--golden", f"{MODEL}@{version}/{INT8}", "--store", store.root)
    assert marline(whole.url, *golden).exit_code == 0
    copy = changed(store.archive(MODEL, version, INT8), tmp_path / "copy.mar", lying)
    with serve([copy.path], whole.settings, port=0) as server:
        server.wait_ready()
        for arguments in ((whole.url, server.url), (server.url,)):
            done = marline(*arguments, *golden)
            assert done.exit_code == 1
            shown = [line for line in done.stdout.splitlines() if line.startswith("differs ")]
            assert len(shown) == len(store.manifest(MODEL, version, INT8).golden)
            assert "instead of" in shown[0] and '{"text": "' in shown[0]
            assert done.stdout.splitlines()[-1] == "disagree: agreement 0.000000, allowed at least 1"


def test_a_copy_with_one_wrong_weight(server: TorchServer, archives: dict[str, Path], tmp_path: Path) -> None:
    """Its digests are right and its golden request holds; one word has another weight."""
    texts = ["good a", "bad b", "a", "b", "c", "ü", "b c", "good ü"]
    requests = tmp_path / "requests.jsonl"
    requests.write_text("".join(json.dumps({"id": t, "request": {"text": t}}) + "\n" for t in texts))
    recorded = tmp_path / "recorded.jsonl"
    url = f"{server.url}/predictions/sentiment/1.0.0-onnx-fp32"
    assert marline(url, "--requests", requests, "--record", recorded).exit_code == 0
    assert marline(f"{server.url}/predictions/sentiment/1.0.0-onnx-int8", "--requests", recorded).exit_code == 0
    with serve([changed(archives["fp32"], tmp_path / "copy.mar", heavier).path], tiny.SETTINGS, port=0) as copy:
        copy.wait_ready()
        done = marline(copy.url, "--requests", recorded, "--model", "sentiment")
    assert done.exit_code == 1, done.output
    assert re.findall(r"^differs (.+): (\w+) \S+ instead of (\w+) ", done.stdout, re.MULTILINE) == [
        ("c", "positive", "negative"),
        ("b c", "positive", "negative"),
    ]


def heavier(entries: dict[str, bytes]) -> None:
    """The word ``c`` means the contrary, and every digest says that it should."""
    graph = onnx.load_from_string(entries["model.onnx"])
    table = next(t for t in graph.graph.initializer if t.name == "table")
    values = numpy_helper.to_array(table).copy()
    values[tiny.WORDS.index("c")] = (-5, 5)
    table.CopyFrom(numpy_helper.from_array(values, "table"))
    entries["model.onnx"] = graph.SerializeToString()
    restamp(entries)


def restamp(entries: dict[str, bytes]) -> None:
    """Sizes and digests of the files as they are now."""
    old = manifests.loads(entries[manifests.FILE_NAME])
    files = tuple(
        dataclasses.replace(f, size=len(entries[f.path]), sha256=hashlib.sha256(entries[f.path]).hexdigest())
        for f in old.files
    )
    entries[manifests.FILE_NAME] = manifests.dumps(dataclasses.replace(old, files=files)).encode()


def test_a_tensor_model_agrees_with_itself(server: TorchServer, tmp_path: Path) -> None:
    requests = tmp_path / "requests.jsonl"
    asked: list[Any] = [{"inputs": {"x": np.linspace(-1, 1, n).tolist()}} for n in (1, 5, 3)]
    requests.write_text("".join(json.dumps({"request": r}) + "\n" for r in (*asked, {"inputs": {"x": "bad"}})))
    done = marline(server.url, server.url, "--model", "doubler", "--requests", requests)
    assert done.exit_code == 0, done.output
    assert "4 requests, 3 answers compared, 3 agree, agreement 1.000000" in done.stdout
    assert "1 refused by both, 0 failed" in done.stdout
