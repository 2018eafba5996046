"""A profile of a real archive: tables, a trace for a viewer, and the same figures as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marline.bench.profile import run
from marline.errors import BenchError
from marline.serve import Served, read_archive
from server import tiny_archives as tiny

from .conftest import BODIES


@pytest.fixture(params=["onnx_archive", "torch_archive"])
def served(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


def test_both_tables_sum_to_100_and_both_files_are_written(served: Served, tmp_path: Path) -> None:
    made = run.profile(served, BODIES, 2, tmp_path / "new" / "folder")
    assert (made.model, made.version, made.requests, made.batch) == ("sentiment", served.manifest.served_version, 5, 2)
    for rows in (made.phases, made.operators):
        assert round(sum(r.share for r in rows), 6) == 100
        assert rows[-1].name == "other"
    assert [r.name for r in made.phases] == ["tokenizer", "grouping", "model", "presenting", "other"]
    assert len(made.operators) <= run.TOP + 1
    assert any("aten::" in r.name for r in made.operators) == (served.manifest.format == "torchscript")
    document: dict[str, Any] = json.loads((tmp_path / "new" / "folder" / "profile.json").read_text())
    assert document["operators"] == [vars(r) for r in made.operators]
    trace = json.loads((tmp_path / "new" / "folder" / "trace.json").read_text())
    complete = [e for e in trace["traceEvents"] if e.get("ph") == "X"]
    assert all({"name", "ts", "dur", "pid", "tid"} <= set(e) for e in complete)
    assert {"tokenizer", "model", "presenting"} <= {e["name"] for e in complete}
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == ["profile.json", "trace.json"]


def test_a_refused_question_is_named_and_nothing_is_written(onnx_archive: Served, tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        run.profile(onnx_archive, [b'{"text": "good"}', b'{"text": ""}'], 2, tmp_path / "out")
    assert str(caught.value).startswith(f"{onnx_archive.path}: refuses '{{\"text\": \"\"}}': The text is empty; ")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_does_not_load_is_one_sentence(tmp_path: Path) -> None:
    wrong = read_archive(tiny.classifier(tmp_path / "wrong.mar", golden={"logits": [-1.0, 1.0]}))
    with pytest.raises(BenchError, match="^sentiment 1.0.0-onnx-fp32: golden request 0 answered wrongly: "):
        run.profile(wrong, BODIES, 2, tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named(onnx_archive: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match=f"^{tmp_path}/file/out: cannot be written \\(Not a directory\\); choose another --out$"):
        run.profile(onnx_archive, BODIES, 2, tmp_path / "file" / "out")
