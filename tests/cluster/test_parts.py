"""What the cluster is made of, without one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cluster import binaries, fixtures, machine, processes
from cluster.api import Cluster
from cluster.binaries import Module, binary
from cluster.certificates import issue, write_all
from cluster.commands import run
from cluster.components import BASE, NAMES, REST
from cluster.errors import ClusterError, CommandError
from cluster.images import write_image
from cluster.settings import Settings
from cluster.waiting import until


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_clusters_of_different_indexes_share_no_name_and_no_address(own_cache):
    one, other = Settings.of(0), Settings.of(1)
    assert one.state == own_cache / "cluster"
    for name in ("name", "state", "link_cidr", "host_ip", "node_ip", "pod_cidr", "service_cidr", "dns_ip", "api"):
        assert getattr(one, name) != getattr(other, name)


@pytest.mark.parametrize("index", ["100", "-1", "two"])
def test_an_index_out_of_range_is_refused(monkeypatch, index):
    monkeypatch.setenv("CLUSTER_INDEX", index)
    with pytest.raises(ClusterError, match=r"^CLUSTER_INDEX=\S+: the index of a cluster is .*0 to 99$"):
        Settings.from_environment()


def test_every_component_has_a_command_line_of_its_own(own_cache):
    settings = Settings.of(3)
    for name, command in (BASE | REST).items():
        words = command(settings, Path("hyperkube"))
        assert name in words[:2]
        assert not any("None" in word for word in words)
    assert len(NAMES) == 7


def test_a_certificate_serves_or_asks_as_it_was_issued():
    authority = issue("authority", None)
    server = issue("server", authority, hosts=["name", "10.0.0.1"])
    user = issue("user", authority, groups=["a", "b"], client=True)
    for pair in (server, user):
        pair.certificate.verify_directly_issued_by(authority.certificate)
    with pytest.raises(ValueError):
        user.certificate.verify_directly_issued_by(issue("other", None).certificate)
    purposes = [
        pair.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value for pair in (server, user)
    ]
    assert [list(p) for p in purposes] == [[ExtendedKeyUsageOID.SERVER_AUTH], [ExtendedKeyUsageOID.CLIENT_AUTH]]
    names = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["name"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert user.certificate.subject.rfc4514_string() == "CN=user,O=b,O=a"


def test_keys_are_readable_by_their_owner_only(own_cache):
    settings = Settings.of(0)
    write_all(settings)
    secret = [*settings.pki.glob("*.key"), *settings.conf.glob("*.kubeconfig"), settings.kubeconfig]
    assert len(secret) == 12
    assert {oct(path.stat().st_mode & 0o777) for path in secret} == {"0o600"}


def test_the_same_files_make_the_same_image(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/true")
    program.chmod(0o755)
    files = {"/usr/bin/program": program, "/etc/settings": Path(__file__)}
    one = write_image(tmp_path / "one.tar", "name:1", files, ["/usr/bin/program"])
    os.utime(program, (1, 1))
    other = write_image(tmp_path / "other.tar", "name:1", files, ["/usr/bin/program"])
    assert one.read_bytes() == other.read_bytes()


def test_an_image_holds_its_files_and_says_how_to_start(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/true")
    program.chmod(0o755)
    write_image(tmp_path / "image.tar", "name:1", {"/usr/bin/program": program}, ["/usr/bin/program"])
    with tarfile.open(tmp_path / "image.tar") as image:
        [index] = json.load(image.extractfile("manifest.json"))
        config = json.load(image.extractfile(index["Config"]))
        packed = image.extractfile("layer.tar").read()
        with tarfile.open(fileobj=image.extractfile("layer.tar")) as content:
            members = [(m.name, oct(m.mode), m.uid, m.mtime) for m in content]
    assert index["RepoTags"] == ["name:1"]
    assert config["config"]["Entrypoint"] == ["/usr/bin/program"]
    assert config["config"]["User"].isdecimal()
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(packed).hexdigest()}"]
    assert members == [("usr", "0o755", 0, 0), ("usr/bin", "0o755", 0, 0), ("usr/bin/program", "0o755", 0, 0)]


def test_what_does_not_come_true_is_named_with_what_was_seen():
    answers = iter([0, 0, 7])
    assert until(lambda: next(answers), "seven", 10, interval=0) == 7
    with pytest.raises(ClusterError, match=r"^seven: not within 0 s \(last seen: 0\)$"):
        until(lambda: 0, "seven", 0)

    def fails() -> bool:
        raise CommandError("`x` failed", "said")

    with pytest.raises(ClusterError, match="last seen: `x` failed"):
        until(fails, "never", 0)


def test_a_failed_command_is_an_error_with_what_it_said():
    with pytest.raises(CommandError, match=r"^`sh -c .*` failed with exit code 3: wrong$") as caught:
        run(["sh", "-c", "echo out; echo wrong >&2; exit 3"])
    assert caught.value.output == "out\nwrong\n"
    assert run(["sh", "-c", "echo out; echo wrong >&2; exit 3"], check=False) == "out\nwrong\n"
    with pytest.raises(ClusterError, match="`sleep 9` did not end within 0.1 s"):
        run(["sleep", "9"], timeout=0.1)
    with pytest.raises(ClusterError, match="`no-such-program` cannot be started: No such file"):
        run(["no-such-program"])


@pytest.fixture
def module(tmp_path, own_cache, monkeypatch) -> Path:
    """A module with two small programs, instead of those of the cluster."""
    for name in ("one", "two"):
        (tmp_path / "small" / name).mkdir(parents=True)
        (tmp_path / "small" / name / "main.go").write_text(f'package main\n\nfunc main() {{ println("{name}") }}\n')
    (tmp_path / "small" / "go.mod").write_text("module small\n\ngo 1.24\n")
    monkeypatch.setattr(binaries, "HERE", tmp_path)
    packages = {"one": "./one", "two": "./two"}
    monkeypatch.setattr(binaries, "MODULES", (Module("small", packages, links={"uno": "one"}),))
    binary.cache_clear()
    yield tmp_path / "small"
    binary.cache_clear()


needs_go = pytest.mark.skipif(binaries.which("go") is None, reason="no Go")


@needs_go
def test_a_program_is_built_once_and_again_when_a_source_changes(module, capsys):
    first = binary("one")
    assert subprocess.run([first], capture_output=True, check=True).stderr == b"one\n"
    assert binary("uno").resolve() == first
    binary.cache_clear()
    assert binary("one") == first
    assert capsys.readouterr().out.count("building one, two") == 1
    (module / "one" / "main.go").write_text('package main\n\nfunc main() { println("changed") }\n')
    binary.cache_clear()
    assert binary("one") != first
    assert subprocess.run([binary("one")], capture_output=True, check=True).stderr == b"changed\n"
    assert first.exists()


@needs_go
def test_a_failed_build_leaves_nothing(module, own_cache):
    (module / "two" / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(CommandError, match="undefined: undefined"):
        binary("one")
    assert [path.suffix for path in (own_cache / "bin").iterdir()] == [".lock"]


@needs_go
def test_of_two_that_want_the_same_program_one_builds(module, capsys):
    found: list[Path] = []
    both = [threading.Thread(target=lambda: found.append(binary.__wrapped__("one"))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found[0] == found[1]
    assert capsys.readouterr().out.count("building") == 1


def test_a_program_nobody_builds_is_named(own_cache):
    with pytest.raises(ClusterError, match=r"^nothing: no program of tests/cluster; there are .*conftest, .*hyperkube"):
        binary("nothing")


def test_without_go_a_build_says_what_to_install(module, monkeypatch):
    monkeypatch.setattr(binaries, "which", lambda _: None)
    with pytest.raises(ClusterError, match=r"^go: not found; install Go .* to build one, two, uno$"):
        binary("one")


def test_every_module_requires_what_it_stamps_and_builds():
    for known in binaries.MODULES:
        text = (known.path / "go.mod").read_text()
        assert (known.path / "go.sum").exists()
        assert all(package in text for package in known.packages.values() if not package.startswith("."))
        binaries.link_flags(known)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CLUSTER": "0", "KUBECONFIG": "given"}, "no cluster: CLUSTER=0 switches the tests on Kubernetes off"),
        ({"KUBECONFIG": "given"}, None),
        ({}, "no cluster: a node needs root; run as root, or set KUBECONFIG to use a cluster of your own (kind, k3d)"),
    ],
)
def test_why_there_is_no_cluster_is_said(monkeypatch, variables, reason):
    for name in ("CLUSTER", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "platform", "linux")
    assert fixtures.absent() == reason


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(machine, "which", lambda command: None if command in ("etcd", "apt-get") else f"/bin/{command}")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    assert machine.missing() == ["etcd-server"]
    with pytest.raises(ClusterError) as refused:
        machine.install(machine.missing())
    line = "apt-get install -y --no-install-recommends etcd-server"
    assert str(refused.value) == f"not installed: etcd-server; on Debian `{line}` installs them"


def test_addresses_that_lead_elsewhere_are_refused(own_cache, monkeypatch):
    routes = [{"dst": "default"}, {"dst": "10.244.0.0/24", "dev": "marline0"}, {"dst": "10.96.0.0/12", "dev": "tun0"}]
    monkeypatch.setattr(machine, "run", lambda _: json.dumps(routes))
    with pytest.raises(ClusterError, match=r"has a route to 10.96.0.0/12 \(tun0\).*10.96.0.0/16; set CLUSTER_INDEX"):
        machine.refuse_overlaps(Settings.of(0))
    machine.refuse_overlaps(Settings.of(20))


def test_an_overlay_below_the_state_is_refused(own_cache, monkeypatch):
    monkeypatch.setattr(machine, "run", lambda _: "overlayfs\n")
    with pytest.raises(ClusterError, match="lies on an overlay file system.*set MARLINE_CACHE to a folder on a disk"):
        machine.refuse_overlay(Settings.of(0))


def test_an_own_cluster_needs_to_be_told_how_images_get_there(monkeypatch, tmp_path):
    monkeypatch.delenv("CLUSTER_IMPORT", raising=False)
    with pytest.raises(ClusterError, match="set CLUSTER_IMPORT to the command that does it"):
        Cluster("config", None).import_image(tmp_path / "image.tar")
    monkeypatch.setenv("CLUSTER_IMPORT", f"cp -t '{tmp_path / 'in'}'")
    (tmp_path / "in").mkdir()
    (tmp_path / "image.tar").write_text("image")
    Cluster("config", None).import_image(tmp_path / "image.tar")
    assert (tmp_path / "in" / "image.tar").exists()


def test_a_process_that_waits_to_be_collected_is_not_alive():
    child = subprocess.Popen(["true"])
    until(lambda: not processes.alive(child.pid), "the end of the child", 10, interval=0.01)
    assert (processes.PROC / str(child.pid)).exists()
    child.wait()
    assert not processes.alive(child.pid)
    assert processes.alive(os.getpid())
