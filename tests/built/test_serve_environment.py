"""The command line where torch is not installed: everything but building works, and building says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from marline.artifact.store import Store
from marline.spec import ModelSpec

ROOT = Path(__file__).resolve().parents[2]
MARLINE = ROOT / ".venv-serve" / "bin" / "marline"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not MARLINE.is_file():
        pytest.skip("needs .venv-serve: `make setup-serve`")
    return subprocess.run([str(MARLINE), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_report_is_printed(store: Store, spec: ModelSpec) -> None:
    done = run("report", spec.name, "--store", str(store.root))
    assert (done.returncode, done.stderr) == (0, "")
    assert spec.reference in done.stdout


@pytest.mark.parametrize("verb", [("build", "sentiment"), ("train", "sentiment"), ("quickstart", "--once")])
def test_building_is_refused_in_one_sentence(verb: tuple[str, ...]) -> None:
    done = run(*verb)
    assert done.returncode == 1
    assert done.stderr == "error: torch is not installed, which building needs; `pip install 'marline[build]'`, or `make setup`\n"
