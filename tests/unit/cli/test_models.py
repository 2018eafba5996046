"""The verbs on specs, from the command line to the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from marline.artifact.store import Store
from marline.build.sources.cache import sha256_of
from marline.cli import main
from unit.artifact import brought


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MARLINE_STORE", raising=False)
    brought.write(tmp_path)
    return tmp_path


def marline(*arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result


def test_check_counts_what_is_valid():
    assert marline("check", "brought.yaml").stdout == "1 specs are valid\n"


def test_train_prints_what_to_put_into_the_spec_and_build_carries_it(here: Path):
    printed = yaml.safe_load(marline("train", "./brought.yaml").stdout)
    assert printed == {"golden": {"file": "brought/golden.json", "sha256": sha256_of(here / "brought" / "golden.json")}}
    document = yaml.safe_load((here / "brought.yaml").read_text()) | printed
    for variant in document["variants"].values():
        variant["golden_atol"] = 0.5
    (here / "brought.yaml").write_text(yaml.safe_dump(document))
    marline("build", "./brought.yaml")
    assert len(Store(here / "model_store").manifest("brought", "1.0.0", "onnx-fp32").golden) == 3


def test_build_report_and_measure_print_one_row_per_variant(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MARLINE_STORE", str(here / "other"))
    built = marline("build", "./brought.yaml")
    rows = built.stdout.splitlines()
    assert rows[0].split()[:3] == ["variant", "status", "eligible"]
    assert [row.split()[:3] for row in rows[1:3]] == [["onnx-fp32", "pass", "yes"], ["onnx-int8", "pass", "yes"]]
    assert marline("report", "brought").stdout == built.stdout
    assert marline("report", "brought", "1.0.0", "--store", str(here / "other")).stdout == built.stdout
    again = marline("build", "./brought.yaml")
    assert "unchanged, taken from" in again.stderr
    assert again.stdout == built.stdout
    measured = marline("build", "./brought.yaml", "--measure").stdout.splitlines()
    assert [row.split()[0] for row in measured[:3]] == ["variant", "onnx-fp32", "onnx-int8"]
    assert not (here / "model_store").exists()


def test_registry_verbs_print_the_same_version(here: Path):
    marline("build", "./brought.yaml")
    assert marline("registry", "list").stdout.split()[:3] == ["brought", "1.0.0", "candidate"]
    assert marline("registry", "promote", "brought", "1.0.0").stdout == "brought 1.0.0 is in production\n"
    assert json.loads(marline("registry", "show", "brought").stdout)["entry"]["stage"] == "production"
    assert marline("registry", "gc", "brought", "--dry-run").stdout == ""
