"""What is checked and written before a container becomes TorchServe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from marline.agent import server
from marline.agent.settings import PodSettings
from marline.artifact.mar import digest
from marline.errors import ServeError
from server import tiny_archives as tiny
from unit.agent.pod import Pod, settings


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.doubler(tmp_path_factory.mktemp("archive") / "doubler.mar")


def of(archive: Path, sha256: str = "", **sections: Any) -> PodSettings:
    return settings(archive={"path": str(archive), "sha256": sha256 or digest(archive)}, **sections)


def properties(pod: Pod) -> dict[str, str]:
    lines = pod.places.server.config.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_released_archive_is_prepared_for_this_pod_alone(pod: Pod, archive: Path) -> None:
    command, environ, working = server.prepare(of(archive, server={"workers": 2, "threads": 3, "heap_mb": 128}), pod.root)
    assert Path(command[0]).name == "java"
    assert "-Xmx128m" in command
    assert environ["OMP_NUM_THREADS"] == "3"
    assert working == pod.places.server.working
    written = properties(pod)
    assert written["inference_address"] == "http://127.0.0.1:8085"
    assert written["management_address"] == f"unix:{pod.places.server.management}"
    assert '"minWorkers":2' in written["models"].replace(" ", "")


def test_without_a_front_the_server_listens_where_it_would(pod: Pod, archive: Path) -> None:
    server.prepare(of(archive, front={"enabled": False}), pod.root)
    assert properties(pod)["inference_address"] == "http://0.0.0.0:8080"


def test_what_a_killed_server_left_is_removed_and_the_others_places_stay(pod: Pod, archive: Path) -> None:
    left = pod.places.server.root / "tmp" / "old"
    left.parent.mkdir(parents=True)
    left.touch()
    pod.places.front.write_text("{}")
    server.prepare(of(archive), pod.root)
    assert not left.exists()
    assert pod.places.front.exists()
    assert pod.places.server.root.stat().st_mode & 0o777 == 0o700


def test_another_archive_is_refused_before_anything_is_written(pod: Pod, archive: Path) -> None:
    mark = pod.places.server.root / "mark"
    mark.touch()
    with pytest.raises(ServeError) as caught:
        server.prepare(of(archive, "1" * 64), pod.root)
    assert str(caught.value) == (
        f"{archive}: has sha256 {digest(archive)}, the release says {'1' * 64}; "
        "deliver the archive that was released, or release this one with `marline release`"
    )
    assert mark.exists()


def test_a_missing_archive_is_named(pod: Pod) -> None:
    with pytest.raises(ServeError) as caught:
        server.prepare(of(pod.root / "no.mar", "1" * 64), pod.root)
    assert str(caught.value) == (
        f"{pod.root}/no.mar: cannot be read (No such file or directory); put the archive with sha256 {'1' * 64} there"
    )


def test_an_archive_that_needs_torch_is_refused_where_there_is_none(
    pod: Pod, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "torch_free_skips", lambda served: ([], [f"{served[0].path}: needs torch"]))
    with pytest.raises(ServeError, match=r"doubler\.mar: needs torch"):
        server.prepare(of(archive), pod.root)


def test_the_process_becomes_the_jvm_in_its_empty_directory(pod: Pod, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, list[str], str, Path]] = []
    monkeypatch.setenv("TS_CONFIG_FILE", "/elsewhere")
    monkeypatch.setattr(os, "execve", lambda path, command, environ: became.append((path, command, environ.get("TS_CONFIG_FILE", ""), Path.cwd())))
    monkeypatch.chdir(pod.root)
    server.become(of(archive), pod.root)
    ((path, command, config, working),) = became
    assert path == command[0]
    assert config == ""
    assert working == pod.places.server.working.resolve()
    assert list(working.iterdir()) == []
