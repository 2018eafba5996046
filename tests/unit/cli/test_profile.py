"""``marline profile`` prints both tables and says where its files are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from marline.bench.profile import texts
from marline.cli import profile as verb
from server import tiny_archives as tiny
from unit.bench.profile.conftest import BODIES


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "load_model_spec", lambda model: SimpleNamespace(name=model, serving=tiny.SETTINGS))
    monkeypatch.setattr(texts, "bodies", lambda spec, most: BODIES[:most])
    monkeypatch.setattr(os, "environ", {**os.environ})
    target = tmp_path / "store" / "sentiment" / "1.0.0" / "onnx-fp32"
    target.mkdir(parents=True)
    archive = tiny.classifier(tmp_path / "made.mar")
    shutil.copyfile(archive, target / "sentiment-1.0.0-onnx-fp32.mar")
    monkeypatch.setattr(verb, "archives", lambda store, model, version, variants: [target / "sentiment-1.0.0-onnx-fp32.mar"])
    return tmp_path / "store"


def test_it_prints_phases_operators_and_where_the_files_are(store: Path) -> None:
    done = CliRunner().invoke(verb.profile, ["sentiment", "--texts", "3", "--threads", "1", "--store", str(store)])
    assert done.exit_code == 0, done.output
    assert "sentiment 1.0.0-onnx-fp32 on " in done.stdout
    assert "3 requests, at most 8 together, 1 threads" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    heads = [i for i, line in enumerate(lines) if line[-3:] == ["calls", "ms", "share"]]
    assert [lines[i][0] for i in heads] == ["phase", "operator"]
    for head in heads:
        shares = []
        for line in lines[head + 1 :]:
            if not line:
                break
            shares.append(float(line[-2]))
        assert round(sum(shares), 6) == 100
    folder = Path("profile") / "sentiment-1.0.0-onnx-fp32"
    assert f"{folder / 'trace.json'}: open it in https://ui.perfetto.dev or chrome://tracing" in done.stdout
    assert (folder / "profile.json").is_file()


@pytest.mark.parametrize("arguments", [["--texts", "0"], ["--threads", "0"]])
def test_none_is_not_a_number_of_texts_or_threads(store: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(verb.profile, ["sentiment", *arguments])
    assert done.exit_code == 2
    assert "is not in the range x>=1" in done.output
