"""Releases of the documents are right, and what a document says is refused is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from marline.errors import SpecError
from marline.rollout.plan import plan

ROOT = Path(__file__).resolve().parents[3]
WRONG = "    server: {threads: 2, workers: 2}\n    grace_s: 20\n"


def test_the_documents_release_is_right_and_its_refusals_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "08-releases.md").read_text(encoding="utf-8")
    (release,) = re.findall(r"<<'END'\n(.*?)END\n", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "config", "config")
    shutil.copyfile("config/releases/local.lock.json", "config/releases/staging.lock.json")
    path = Path("config/releases/staging.yaml")
    path.write_text(release)
    plan("staging", None)
    path.write_text(release.replace("min_replicas: 2", "min_replicas: 8") + WRONG)
    with pytest.raises(SpecError) as caught:
        plan("staging", None)
    assert caught.value.problems == re.findall(r"^error: (.*)$", text, re.MULTILINE)


def test_the_shares_that_the_document_refuses_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "09-routes.md").read_text(encoding="utf-8")
    release = re.findall(r"<<'END'\n(.*?)END\n", text, re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "config", "config")
    path = Path("config/releases/canary.yaml")
    (said,) = re.findall(r"^error: (.*)$", text, re.MULTILINE)
    # no lock, and no store: both are said besides
    assert said not in refusal(path, release)
    assert said in refusal(path, release.replace("weight: 10, replicas: 1", "weight: 10, replicas: 0"))


def refusal(path: Path, release: str) -> list[str]:
    """Problems of a release."""
    path.write_text(release)
    with pytest.raises(SpecError) as caught:
        plan(path.stem, None)
    return caught.value.problems
