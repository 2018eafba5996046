from __future__ import annotations

import importlib.metadata

import pytest

from handlerkit import machine
from handlerkit.errors import LoadError
from handlerkit.manifest import Requirements

from .conftest import manifest


def needing(packages=None, flags=()):
    return manifest(requirements=Requirements("3.11", packages or {}, tuple(flags)))


@pytest.fixture
def installed(monkeypatch):
    versions = {"engine": "1.31.1"}

    def version(package):
        if package not in versions:
            raise importlib.metadata.PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(machine.importlib.metadata, "version", version)
    return versions


@pytest.mark.parametrize("found", ["1.31.1", "1.31.0", "1.31.9+cpu", "1.40.0"])
def test_the_same_major_version_from_the_minor_built_with_is_allowed(installed, found):
    installed["engine"] = found
    machine.require(needing({"engine": "1.31.1"}))


@pytest.mark.parametrize("found", ["1.30.9", "0.99.0", "2.0.0", "11.31.1"])
def test_older_and_next_major_versions_are_refused(installed, found):
    installed["engine"] = found
    with pytest.raises(LoadError) as caught:
        machine.require(needing({"engine": "1.31.1"}))
    assert str(caught.value) == (
        f"tiny 1.0.0-onnx-fp32 was built with engine 1.31.1 and found {found} (allowed: from 1.31.1, same major version); "
        "install engine==1.31.1 or rebuild the archive"
    )


def test_a_missing_package_says_how_to_install_it(installed):
    with pytest.raises(LoadError, match=r"requires other 2\.0, which is not installed; install it with `pip install other==2\.0`"):
        machine.require(needing({"engine": "1.31.1", "other": "2.0"}))


def test_a_missing_cpu_flag_names_flag_and_class(monkeypatch):
    monkeypatch.setattr(machine, "cpu_flags", lambda: frozenset({"avx2"}))
    machine.require(needing(flags=["avx2"]))
    with pytest.raises(LoadError, match=r"requires the CPU flag avx512_vnni, this CPU \(avx2\) lacks it; choose another variant"):
        machine.require(needing(flags=["avx2", "avx512_vnni"]))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [({"avx2"}, "avx2"), ({"avx2", "avx512f"}, "avx512"), ({"avx2", "avx512f", "avx512_vnni"}, "avx512-vnni")],
)
def test_cpu_class(monkeypatch, flags, expected):
    monkeypatch.setattr(machine, "cpu_flags", lambda: frozenset(flags))
    assert machine.cpu_class() == expected


def test_a_cpu_without_known_flags_is_its_architecture(monkeypatch):
    monkeypatch.setattr(machine, "cpu_flags", frozenset)
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert machine.cpu_class() == "riscv64"
