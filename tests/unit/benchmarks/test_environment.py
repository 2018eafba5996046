"""A peer's environment: made once, whole or not at all, and one sentence when it cannot be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from unit.benchmarks.peers import NAMES, module


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with one peer of its own whose lock is empty."""
    loaded = module("environment.py")
    (tmp_path / "peers" / "small").mkdir(parents=True)
    (tmp_path / "peers" / "small" / "peer.yaml").write_text("title: Small\n")
    (tmp_path / "peers" / "small" / "requirements.lock").write_text("# nothing\n")
    monkeypatch.setattr(loaded, "HERE", tmp_path / "peers")
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "cache"))
    return loaded


@pytest.fixture
def made(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The pip commands that were run; neither pip nor venv does anything."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.setattr(environment.venv, "create", lambda target, with_pip: (Path(target) / "bin").mkdir(parents=True))
    return commands


def test_it_is_made_once_and_pip_checks_hashes(environment, made, capsys):
    assert environment.main(["small"]) == 0
    first = capsys.readouterr().out
    assert environment.main(["small"]) == 0
    assert capsys.readouterr().out == first
    assert Path(first.strip()).is_dir()
    assert len(made) == 1
    assert "--require-hashes" in made[0]


def test_another_lock_is_another_environment(environment, made):
    first = environment.make("small")
    (environment.HERE / "small" / "requirements.lock").write_text("# something else\n")
    assert environment.make("small") != first
    assert len(made) == 2


def test_what_a_broken_attempt_left_is_made_anew(environment, made):
    left = environment.folder("small") / "bin" / "half"
    left.parent.mkdir(parents=True)
    left.touch()
    environment.make("small")
    assert not left.exists()


def test_an_unknown_peer(capsys):
    assert module("environment.py").main(["triton"]) == 1
    assert capsys.readouterr().err == (
        f"environment: there is no peer 'triton' (allowed: {', '.join(NAMES)}); choose one of them\n"
    )


def test_no_peer_is_named(environment, capsys):
    assert environment.main([]) == 1
    assert (
        capsys.readouterr().err == "environment: 0 peers are named where one is expected (allowed: small); name one\n"
    )


def test_a_lock_is_missing(environment, capsys):
    (environment.HERE / "small" / "requirements.lock").unlink()
    assert environment.main(["small"]) == 1
    assert capsys.readouterr().err == (
        "environment: peer small: requirements.lock is missing; run `python benchmarks/peers/lock.py small`\n"
    )


def test_another_python(environment, monkeypatch, capsys):
    monkeypatch.setattr(environment.sys, "version_info", (3, 13, 1))
    assert environment.main(["small"]) == 1
    assert capsys.readouterr().err == (
        "environment: peer small: its lock is for Python 3.11 and this is 3.13; run it with python3.11\n"
    )


def test_pip_fails_and_nothing_is_left(environment, made, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: slow\nERROR: No matching distribution found for x==1\n\n")
    monkeypatch.setattr(environment.subprocess, "run", lambda *_, **__: failed)
    assert environment.main(["small"]) == 1
    assert capsys.readouterr().err == (
        "environment: peer small: pip cannot install requirements.lock: ERROR: No matching distribution found for x==1; "
        "check the network, or leave this peer out\n"
    )
    assert not environment.folder("small").exists()


def test_the_cache_cannot_be_written(environment, made, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "file"))
    assert environment.main(["small"]) == 1
    assert capsys.readouterr().err == (
        f"environment: peer small: {environment.folder('small')} cannot be made (Not a directory); "
        "set MARLINE_CACHE to a writable folder\n"
    )
