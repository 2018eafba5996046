"""The first command of the README, on a store that is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from marline.artifact.store import Store
from marline.spec import ModelSpec

ROOT = Path(__file__).resolve().parents[2]


def test_quickstart_once_prints_the_answer_and_the_table_and_builds_nothing_again(
    store: Store, spec: ModelSpec, report: dict[str, Any]
) -> None:
    command = [sys.executable, "build.py", "quickstart", "--once", "--port", "0", "--store", str(store.root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stderr
    assert '"label": "positive"' in done.stdout
    for name in report["variants"]:
        assert name in done.stdout
