"""The verb: exit codes, what it prints and what it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from marline.cli import main
from marline.cli.replay import replay
from marline.rollout.replay.metrics import HELP
from unit.rollout.replay_endpoints import classified, endpoint

TEXTS = ["good", "fine", "bad"]


def score(request: Any, turn: str = "") -> float:
    positive = 0.9 if request["text"] in ("good", "fine") else 0.1
    return round(1 - positive, 6) if request["text"] == turn else positive


def marline(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(json.dumps({"id": t, "request": {"text": t}}) + "\n" for t in TEXTS))
    return path


def samples_of(path: Path) -> dict[str, float]:
    """Metric, with the labels that are not the endpoints', to value."""
    out = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'(\w+)\{reference="([^"]*)",candidate="([^"]*)",?(.*)\} (\S+)', line)
            assert match, line
            out[match[1].removeprefix("marline_replay_") + match[4]] = float(match[5])
    return out


def test_two_that_agree(file: Path, tmp_path: Path) -> None:
    metrics = tmp_path / "replay.prom"
    with endpoint(lambda r: (200, classified(score(r)))) as a, endpoint(lambda r: (200, classified(score(r)))) as b:
        done = marline(a.url, b.url, "--requests", file, "--model", "sentiment", "--metrics", metrics)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "agree"
    found = samples_of(metrics)
    assert (found["completed"], found["passed"], found["agreement"], found['answersoutcome="agreeing"']) == (1, 1, 1, 3)


def test_one_that_differs_is_shown_and_within_a_limit_allowed(file: Path, tmp_path: Path) -> None:
    metrics, report = tmp_path / "replay.prom", tmp_path / "report.json"
    with (
        endpoint(lambda r: (200, classified(score(r)))) as a,
        endpoint(lambda r: (200, classified(score(r, "fine")))) as b,
    ):
        given = (a.url, b.url, "--requests", file, "--model", "sentiment")
        done = marline(*given, "--metrics", metrics, "--report", report)
        assert done.exit_code == 1
        assert (
            done.stdout.splitlines()[0] == 'differs fine: negative 0.9000 instead of positive 0.9000: {"text": "fine"}'
        )
        assert done.stdout.splitlines()[-1] == "disagree: agreement 0.666667, allowed at least 1"
        hidden = marline(*given, "--hide-requests", "--min-agreement", 0.6)
        assert (hidden.exit_code, hidden.stdout.splitlines()[-1]) == (0, "agree")
        assert hidden.stdout.splitlines()[0] == "differs fine: negative 0.9000 instead of positive 0.9000"
        assert marline(*given, "--show", 0).stdout.splitlines()[0] == "... and 1 more"
    found = samples_of(metrics)
    assert (found["passed"], found["agreement"], found['answersoutcome="differing"']) == (0, 2 / 3, 1)
    document = json.loads(report.read_text())
    assert (document["agreement"], document["differing"][0]["id"]) == (2 / 3, "fine")
    assert document["missed"] == ["agreement 0.666667, allowed at least 1"]


def test_a_recording_is_replayed_to_one_endpoint(file: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    with (
        endpoint(lambda r: (200, classified(score(r)))) as a,
        endpoint(lambda r: (200, classified(score(r, "bad")))) as b,
    ):
        done = marline(a.url, "--requests", file, "--model", "sentiment", "--record", recorded)
        assert (done.exit_code, done.stdout.split(": ")[1].split(" with")[0]) == (0, "3 requests")
        assert marline(a.url, "--requests", recorded, "--model", "sentiment").exit_code == 0
        done = marline(b.url, "--requests", recorded, "--model", "sentiment")
    assert done.exit_code == 1
    assert done.stdout.startswith("differs bad: positive 0.9000 instead of negative 0.9000")


def test_nothing_is_recorded_of_an_endpoint_that_fails_once(file: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    with endpoint(lambda r: (503, {}) if r["text"] == "bad" else (200, classified(0.9))) as a:
        done = marline(a.url, "--requests", file, "--model", "sentiment", "--record", recorded)
    assert done.exit_code == 1
    assert "request bad cannot be recorded, the endpoint gave status 503" in done.stderr
    assert not recorded.exists()


def test_a_replay_that_cannot_run_leaves_no_old_agreement_behind(file: Path, tmp_path: Path) -> None:
    metrics = tmp_path / "replay.prom"
    metrics.write_text("marline_replay_agreement 1.0\n")
    with endpoint(lambda r: (200, classified(score(r)))) as a:
        url = a.url
    done = marline(url, url, "--requests", file, "--model", "sentiment", "--metrics", metrics)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(
        f"error: {url}/predictions/sentiment: gave no answer"
    )
    found = samples_of(metrics)
    assert (found["completed"], found["passed"]) == (0, 0)
    assert not {key for key in found if key.startswith(("agreement", "answers", "info"))}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://a", "http://b"), "give one of --golden, --archive, --gate and --requests"),
        (("http://a", "--golden", "m@1/v", "--gate", "m"), "give one of"),
        (("http://a", "http://b", "http://c", "--gate", "m"), "REFERENCE and CANDIDATE, or CANDIDATE alone"),
        (("http://a", "http://b", "--gate", "m", "--record", "x"), "--record compares nothing"),
        (("http://a", "--gate", "m", "--record", "x", "--metrics", "y"), "--record compares nothing"),
        (("http://a", "--gate", "m", "--min-agreement", "97"), "97"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], sentence: str) -> None:
    done = marline(*arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr


@pytest.mark.parametrize("header", ["Authorization", ": x", "Authorization: ", "A: secret\r\nB: c"])
def test_a_header_that_is_none_is_refused_without_its_value(file: Path, header: str) -> None:
    done = marline("http://127.0.0.1:1/x", "--requests", file, "--header", header)
    assert done.exit_code == 1
    assert "is no header; write 'NAME: VALUE'" in done.stderr
    assert "secret" not in done.stderr


def test_a_file_that_cannot_be_written_is_one_sentence(file: Path, tmp_path: Path) -> None:
    with endpoint(lambda r: (200, classified(score(r)))) as a:
        for option in ("--metrics", "--report"):
            done = marline(a.url, a.url, "--requests", file, "--model", "m", option, tmp_path / "none" / "file")
            assert done.exit_code == 1
            assert "cannot be written (No such file or directory)" in done.stderr


def test_the_verb_loads_no_numpy_before_it_compares() -> None:
    code = "import sys, marline.cli.replay, marline.rollout.replay; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


DOCUMENT = Path(__file__).parents[3] / "docs" / "10-replay.md"


def test_the_job_of_the_document_has_arguments_that_the_verb_takes() -> None:
    job = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8").split("<<'END'\n")[1].split("\nEND\n")[0])
    program, verb, *arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert (program, verb) == ("marline", "replay")
    parameters = replay.make_context(verb, arguments).params
    assert len(parameters["urls"]) == 2
    assert parameters["min_agreement"] == 0.97


def test_every_metric_is_in_the_document_and_no_other() -> None:
    assert set(re.findall(r"`marline_replay_(\w+)`", DOCUMENT.read_text(encoding="utf-8"))) == set(HELP)
