"""The release of docs/08-releases.md is right, and what the document says is refused is."""

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
