"""The image on the cluster, and archives in a folder that its volumes show."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Cluster
from cluster.fixtures import cluster, probe_image
from cluster.machine import install
from cluster.settings import cache
from marline.artifact.store import Store
from pods import archives as make
from pods.archives import Archive

__all__ = ["cluster", "probe_image"]

ROOT = Path(__file__).parent.parent.parent
BASE = "localhost/marline-base:bookworm"
TAG = "marline.test/marline"
VARIANT = "onnx-int8-static"


@pytest.fixture(scope="session")
def built() -> Path:
    """The archive that `make test` built."""
    root = os.environ.get("MARLINE_TEST_STORE")
    if root is None:
        pytest.skip("no store: MARLINE_TEST_STORE names none (`make test` builds it)")
    return Store(Path(root)).archive("sentiment", "1.0.0", os.environ.get("MARLINE_TEST_VARIANT", VARIANT))


@pytest.fixture(scope="session")
def image(cluster: Cluster, built: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Dockerfile's slim image on the cluster; its name."""
    absent = [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]
    if absent and cluster.settings is None:
        pytest.skip(f"no image: not installed: {', '.join(absent)} (Debian packages of these names)")
    if absent:
        install(absent)
    name = f"{TAG}:{inputs_digest(built)[:16]}"
    present = subprocess.run(["buildah", "inspect", "--type", "image", name], capture_output=True, check=False)
    if present.returncode:
        base_image()
        build(name, built)
    if name not in on_cluster(cluster):
        archive = tmp_path_factory.mktemp("image") / "image.tar"
        subprocess.run(["buildah", "push", "--quiet", name, f"docker-archive:{archive}:{name}"], check=True)
        cluster.import_image(archive)
        archive.unlink()
    return name


def inputs_digest(built: Path) -> str:
    """Of everything that goes into the image."""
    digest = hashlib.sha256()
    folders = [ROOT / "src", ROOT / "handlers", ROOT / "image", ROOT / "requirements"]
    files = [f for folder in folders for f in sorted(folder.rglob("*")) if f.is_file() and "__pycache__" not in f.parts]
    for file in [*files, ROOT / "pyproject.toml", ROOT / "config" / "compat.yaml", built]:
        digest.update(str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name).encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def base_image() -> None:
    """``debian:bookworm-slim`` as this machine's package archive gives it."""
    present = subprocess.run(["buildah", "inspect", "--type", "image", BASE], capture_output=True, check=False)
    if present.returncode == 0:
        return
    folder = cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    rootfs = folder / "base.tar"
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    subprocess.run(["mmdebstrap", "--variant=minbase", "--quiet", *without, "bookworm", str(rootfs)], check=True)
    container = subprocess.run(
        ["buildah", "from", "scratch"], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        subprocess.run(
            ["buildah", "add", "--quiet", container, str(rootfs), "/"], check=True, stdout=subprocess.DEVNULL
        )
        subprocess.run(["buildah", "commit", "--quiet", container, BASE], check=True, stdout=subprocess.DEVNULL)
    finally:
        subprocess.run(["buildah", "rm", container], check=True, stdout=subprocess.DEVNULL)
        rootfs.unlink()


def build(name: str, archive: Path, target: str = "slim") -> None:
    """`make image` with this machine's builder."""
    authority = os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt"
    options = [
        "--isolation=chroot", "--network=host", "--layers",
        f"--volume={Path(authority).resolve()}:/authority.crt:ro", "--build-arg=PIP_CERT=/authority.crt",
    ]  # fmt: skip
    store, parts = archive.parents[3], "/".join(archive.parts[-4:-1])
    command = [
        sys.executable,
        str(ROOT / "tools" / "image.py"),
        "--tool=buildah",
        f"--base={BASE}",
        f"--target={target}",
    ]
    command += [f"--tag={name}", f"--store={store}", *(f"--option={o}" for o in options), parts]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def on_cluster(cluster: Cluster) -> str:
    """Names of the images that the nodes have."""
    return cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.images[*].names[*]}")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the node shows to its pods, readable for all."""
    path = cache() / "pods" / str(os.getpid())
    path.mkdir(parents=True)
    for parent in (path, path.parent):
        parent.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def v1(built: Path, folder: Path) -> Archive:
    """Version 1.0.0, as built."""
    return make.copied(built, folder / "v1.mar")


@pytest.fixture(scope="session")
def v2(built: Path, folder: Path) -> Archive:
    """The same as 1.1.0."""
    return make.changed(built, folder / "v2.mar", make.version("1.1.0"))
