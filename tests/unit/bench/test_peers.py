"""A folder says how another server is started, asked, and how it was tuned."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest
import yaml

from handlerkit.machine import cpu_class
from marline.bench.peers import names, peer
from marline.errors import BenchError

DOCUMENT = {
    "title": "Other", "packages": ["other", "extra"], "command": ["other"], "ready": {"path": "/health", "status": 200},
    "predict": {"path": "/ask", "body": '{"q": {text}}', "label": '"is": *"{label}"'}, "batching": "it has none",
}  # fmt: skip
LOCK = "other==1.2.3 \\\n    --hash=sha256:00\nextra[all]==4.5 \\\n    --hash=sha256:11\nbesides==9 \\\n    --hash=sha256:22\n"
RUNNER = """
import json, os, sys
print(json.dumps({"pid": os.getpid(), "arguments": sys.argv[1:]}), flush=True)
sys.stdin.read()
open(__file__ + ".ended", "w").write(" ".join(sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "peer.yaml").write_text(yaml.safe_dump(DOCUMENT))
    (tmp_path / "other" / "requirements.lock").write_text(LOCK)
    (tmp_path / "run_peer.py").write_text(RUNNER)
    return tmp_path


def tuned(folder: Path, *classes: str, grid: int = 3) -> None:
    best = {"batch": 4, "wait_ms": 2.0, "options": {"thread": "off"}}
    (folder / "other" / "tuning.json").write_text(json.dumps({"classes": {c: {"best": best, "grid": [best] * grid} for c in classes}}))


def test_a_peer_is_what_its_files_say(folder: Path) -> None:
    found = peer(folder, "other", Path("/archive"))
    assert (found.name, found.title, found.path, found.body, found.label) == ("other", "Other", "/ask", '{"q": {text}}', '"is": *"{label}"')
    assert found.versions == {"other": "1.2.3", "extra": "4.5"}
    assert found.notes == ("it has none",)
    assert names(folder) == ["other"]


def test_its_tuning_on_this_class_of_cpu_is_told(folder: Path) -> None:
    tuned(folder, cpu_class())
    assert peer(folder, "other", Path("/archive")).notes[1] == "tuned over 3 points: batch limit 4, wait 2 ms, thread off"


def test_a_peer_that_was_not_tuned_is_told_from_one_that_was(folder: Path) -> None:
    tuned(folder, cpu_class(), grid=0)
    assert peer(folder, "other", Path("/archive")).notes[1].startswith("not tuned, set by its documentation: batch limit 4")


def test_tuning_on_other_classes_only_is_told_too(folder: Path) -> None:
    tuned(folder, "z80", "6502")
    assert peer(folder, "other", Path("/archive")).notes[1] == "tuned on 6502, z80 only"


def test_a_peer_that_does_not_exist_is_a_sentence(folder: Path) -> None:
    with pytest.raises(BenchError, match=rf"^none: is no peer of {folder} \(allowed: other\)$"):
        peer(folder, "none", Path("/archive"))


def test_it_runs_until_it_is_not_needed(folder: Path) -> None:
    with peer(folder, "other", Path("/archive")).start() as up:
        (pid,) = up.pids
        assert psutil.Process(pid).cmdline()[1:4] == [str(folder / "run_peer.py"), "other", "/archive"]
        port = up.url.rsplit(":", 1)[1]
    assert (folder / "run_peer.py.ended").read_text() == f"other /archive {port}"
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("code", "says"),
    [("print('other: needs Rust')", "^other: needs Rust$"), ("", "^other: run_peer.py said nothing; run it by hand: .*run_peer.py other /archive")],
)
def test_one_that_does_not_start_says_why(folder: Path, code: str, says: str) -> None:
    (folder / "run_peer.py").write_text(code)
    with pytest.raises(BenchError, match=says), peer(folder, "other", Path("/archive")).start():
        pass
