"""``pod.yaml``: strict, and every problem is a sentence with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from marline.agent.settings import PodSettings, load_settings
from marline.errors import SpecError

SHA = "0" * 64
BASE = f"endpoint: blue\narchive: {{path: /archives/a.mar, sha256: '{SHA}'}}\n"


def load(folder: Path, text: str) -> PodSettings:
    path = folder / "pod.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, text)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_all_but_endpoint_and_archive_has_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, BASE)
    assert (settings.endpoint, settings.archive.path, settings.archive.sha256) == ("blue", "/archives/a.mar", SHA)
    assert (settings.server.workers, settings.server.queue_size, settings.front.enabled) == (1, 100, True)
    assert settings.server.serving.max_batch_delay_ms == 0
    assert settings.drain.seconds < settings.drain.timeout_s


def test_what_is_written_is_taken(tmp_path: Path) -> None:
    settings = load(tmp_path, f"{BASE}server: {{workers: 3, batch_size: 4}}\nfront: {{enabled: false}}\ndrain: {{seconds: 0, timeout_s: 1}}\n")
    assert (settings.server.workers, settings.server.batch_size, settings.server.in_flight) == (3, 4, 12)
    assert (settings.front.enabled, settings.drain.seconds, settings.drain.timeout_s) == (False, 0, 1)


def test_the_number_of_workers_is_fixed_for_the_server(tmp_path: Path) -> None:
    serving = load(tmp_path, f"{BASE}server: {{workers: 3, batch_size: 4, queue_size: 7, max_batch_delay_ms: 9, response_timeout_s: 11, startup_timeout_s: 13}}\n").server.serving
    assert (serving.min_workers, serving.max_workers) == (3, 3)
    assert (serving.batch_size, serving.queue_size, serving.max_batch_delay_ms) == (4, 7, 9)
    assert (serving.response_timeout_s, serving.startup_timeout_s) == (11, 13)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("server: {workers: 0}", "server.workers: 0 is not allowed; allowed: a whole number >= 1 and <= 64"),
        ("server: {workers: '1'}", "server.workers: '1' is not allowed; allowed: a whole number >= 1 and <= 64"),
        ("server: {workers: 1.0}", "server.workers: 1.0 is not allowed; allowed: a whole number >= 1 and <= 64"),
        ("server: {max_batch_delay_ms: -1}", "server.max_batch_delay_ms: -1 is not allowed; allowed: a whole number >= 0 and <= 1000"),
        ("server: {heap_mb: 63}", "server.heap_mb: 63 is not allowed; allowed: a whole number >= 64 and <= 16384"),
        ("server: {response_timeout_s: 3601}", "server.response_timeout_s: 3601 is not allowed; allowed: a whole number >= 1 and <= 3600"),
        ("front: {enabled: 1}", "front.enabled: 1 is not allowed; allowed: true or false"),
        ("more: 1", "more: unknown key; allowed: archive, drain, endpoint, front, server"),
        ("drain: {seconds: 40, timeout_s: 40}", "drain.seconds: 40 is not less than timeout_s 40; allowed: seconds < timeout_s"),
        ("drain: {seconds: -1}", "drain.seconds: -1 is not allowed; allowed: a whole number >= 0 and <= 300"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, line: str, says: str) -> None:
    assert problems(tmp_path, f"{BASE}{line}\n") == [f"pod.yaml:3: {says}"]


def test_a_misspelled_key_is_named_with_the_right_one(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, f"{BASE}server: {{wrokers: 1}}\n")
    assert said.startswith("pod.yaml:3: server.wrokers: unknown key; did you mean 'workers'? allowed: batch_size, ")


def test_no_body_larger_than_the_server_takes_is_promised(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, f"{BASE}front: {{max_body_bytes: 6553501}}\n")
    assert said.startswith("pod.yaml:3: front.max_body_bytes: 6553501 is not allowed; allowed: a whole number >= 1 and <= ")


@pytest.mark.parametrize("endpoint", ["Blue", "-blue", "blue-", "a.b", "a/b", "''"])
def test_an_endpoint_is_a_name(tmp_path: Path, endpoint: str) -> None:
    (said,) = problems(tmp_path, BASE.replace("blue", endpoint))
    assert said.startswith("pod.yaml:1: endpoint: ") and " is not allowed; allowed: text" in said


@pytest.mark.parametrize(
    ("old", "new", "key"), [("/archives/a.mar", "a.mar", "path"), (SHA, "0" * 63, "sha256"), (SHA, "A" * 64, "sha256")]
)
def test_an_archive_has_an_absolute_path_and_a_digest(tmp_path: Path, old: str, new: str, key: str) -> None:
    (said,) = problems(tmp_path, BASE.replace(old, new))
    assert said.startswith(f"pod.yaml:2: archive.{key}: ") and " is not allowed; allowed: text" in said


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    said = problems(tmp_path, "endpoint: Blue\nserver: {workers: 0}\nmore: 1\n")
    assert [line.split(": ")[1] for line in said] == ["archive", "endpoint", "server.workers", "more"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no\.yaml: cannot be read \(No such file or directory\); check the path"):
        load_settings(tmp_path / "no.yaml")
