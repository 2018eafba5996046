"""Go programs the tests need, each built once from a module of this folder and kept in the cache.

A module's programs are built together and lie in ``CACHE/bin/DIGEST/``; the digest is that of its go.mod,
go.sum, sources and of how they are built, so a change of any of them is another folder and nothing is
ever replaced. The folder appears by one rename, when everything in it is complete.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.commands import SYSTEM_PATH, run, which
from cluster.errors import ClusterError
from cluster.settings import cache

HERE = Path(__file__).parent
BUILD_TIMEOUT = 3600.0
HELM = "helm.sh/helm/v4/internal/version.version"
KUBERNETES = "k8s.io/component-base/version"
METRICS_SERVER = "sigs.k8s.io/metrics-server/pkg/version.gitVersion"


@dataclass(frozen=True)
class Module:
    """A Go module of this folder and what is built from it.

    Attributes:
        folder: where its go.mod lies, below this folder.
        packages: the program's name -> its package.
        links: a further name for a program -> that program.
        stamps: variable of a program -> module whose version it states.
    """

    folder: str
    packages: dict[str, str]
    links: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The folder with its go.mod."""
        return HERE / self.folder

    @property
    def names(self) -> list[str]:
        """Every program, by each of its names."""
        return [*self.packages, *self.links]


MODULES = (
    Module(
        "node",
        {
            "coredns": "./coredns",
            "helm": "helm.sh/helm/v4/cmd/helm",
            "hyperkube": "./hyperkube",
            "metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server",
            "pause": "./pause",
            "probe": "./probe",
        },
        links={"kubectl": "hyperkube"},
        stamps={
            f"{KUBERNETES}.gitVersion": "k8s.io/kubernetes",
            HELM: "helm.sh/helm/v4",
            METRICS_SERVER: "sigs.k8s.io/metrics-server",
        },
    ),
    Module("tools/conftest", {"conftest": "github.com/open-policy-agent/conftest"}),
    Module("tools/flagger", {"flagger": "github.com/fluxcd/flagger/cmd/flagger"}),
    Module("tools/helm-unittest", {"helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"}),
    Module("tools/k6", {"k6": "go.k6.io/k6"}),
    Module("tools/kube-score", {"kube-score": "github.com/zegl/kube-score/cmd/kube-score"}),
    Module(
        "tools/keda",
        {
            "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
            "keda-operator": "github.com/kedacore/keda/v2/cmd/operator",
        },
    ),
    Module(
        "tools/prometheus",
        {
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
    ),
    Module("tools/traefik", {"traefik": "github.com/traefik/traefik/v3/cmd/traefik"}),
)


def module_of(name: str) -> Module:
    """The module that a program is built from."""
    for module in MODULES:
        if name in module.names:
            return module
    known = ", ".join(sorted(name for module in MODULES for name in module.names))
    raise ClusterError(f"{name}: no program of tests/cluster; there are {known}")


def version(module: Module, path: str) -> str:
    """The version of a module in another's go.mod, such as ``v1.36.3``."""
    found = re.search(rf"^(?:require)?\s+{re.escape(path)} (v\S+)", (module.path / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"tests/cluster/{module.folder}/go.mod requires no {path}; `go get {path}` there adds it")
    return found[1]


def link_flags(module: Module) -> str:
    """No symbol table, and the versions that the programs state."""
    stamps = [f"-X {variable}={version(module, path)}" for variable, path in sorted(module.stamps.items())]
    if f"{KUBERNETES}.gitVersion" in module.stamps:
        major, minor, _ = version(module, "k8s.io/kubernetes").removeprefix("v").split(".")
        stamps += [f"-X {KUBERNETES}.gitMajor={major}", f"-X {KUBERNETES}.gitMinor={minor}"]
    return " ".join(["-s -w", *stamps])


def digest(module: Module) -> str:
    """What decides the bytes of a module's programs, as 24 hex digits."""
    known = hashlib.sha256(json.dumps([link_flags(module), sorted(module.packages.items())]).encode())
    for path in sorted(p for p in module.path.rglob("*") if p.name in ("go.mod", "go.sum") or p.suffix == ".go"):
        data = path.read_bytes()
        known.update(f"{path.relative_to(module.path)} {len(data)}\n".encode() + data)
    return known.hexdigest()[:24]


@functools.cache
def binary(name: str) -> Path:
    """A program by its name; built first when the cache has none, which takes minutes.

    Raises:
        ClusterError: no such program, no Go, or the build failed.
    """
    module = module_of(name)
    root = cache() / "bin"
    root.mkdir(parents=True, exist_ok=True)
    folder = root / digest(module)
    if not folder.is_dir():
        with exclusive(root / f"{folder.name}.lock"):
            if not folder.is_dir():
                build(module, folder)
    return folder / name


def build(module: Module, folder: Path) -> None:
    """Build all programs of a module into ``folder``, which must not exist yet."""
    go = which("go")
    if go is None:
        raise ClusterError(
            f"go: not found; install Go (the version is in tests/cluster/{module.folder}/go.mod) to build {', '.join(module.names)}"
        )
    print(f"building {', '.join(module.packages)} (once; kept in {folder})", flush=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        # CGO off: what is built also runs in an image with nothing else in it, and every module shares the cache.
        env = os.environ | {"CGO_ENABLED": "0", "PATH": SYSTEM_PATH, "GOFLAGS": "-mod=readonly -buildvcs=false"}
        flags = ["-trimpath", "-ldflags", link_flags(module)]
        for name, package in module.packages.items():
            command: list[str | Path] = [go, "-C", module.path, "build", *flags, "-o", made / name, package]
            run(command, env=env, timeout=BUILD_TIMEOUT)
        for name, target in module.links.items():
            (made / name).symlink_to(target)
        made.chmod(0o755)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def source(name: str, path: str) -> Path:
    """The folder with the sources of module ``path``, as the module of program ``name`` requires it."""
    return downloaded(module_of(name), path)


def downloaded(module: Module, path: str) -> Path:
    """The folder with the sources of module ``path``, as ``module`` requires it; nothing need be built of that."""
    go = which("go")
    if go is None:
        raise ClusterError(f"go: not found; install Go to get the sources of {path}")
    answer = run([go, "-C", module.path, "mod", "download", "-json", f"{path}@{version(module, path)}"], timeout=600)
    return Path(json.loads(answer)["Dir"])


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock between processes: the kernel frees it when the holder ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
