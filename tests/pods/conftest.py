"""The image on the cluster, and archives in a folder that its volumes show."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Cluster
from cluster.containers import CTR
from cluster.fixtures import cluster, probe_image
from cluster.machine import install
from cluster.node import Node
from cluster.settings import cache
from marline.artifact.store import Store
from marline.errors import StoreError
from pods import archives as make
from pods.archives import Archive

__all__ = ["cluster", "probe_image"]

ROOT = Path(__file__).parent.parent.parent
BASE = "localhost/marline-base:bookworm"
TAG = "marline.test/marline"
VARIANT = "onnx-int8-static"
TORCH_VARIANT = "torchscript-fp32"


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
    require_reach(cluster)
    require_tools(cluster)
    name = f"{TAG}:{inputs_digest(built)[:16]}"
    present = subprocess.run(["buildah", "inspect", "--type", "image", name], capture_output=True, check=False)
    if present.returncode:
        base_image()
        build(name, built)
        # those of earlier sources, 0.7 GB each
        for older in older_images(name):
            subprocess.run(["buildah", "rmi", "--force", older], check=True, stdout=subprocess.DEVNULL)
    if name not in on_cluster(cluster):
        bring(cluster, name, tmp_path_factory.mktemp("image") / "image.tar")
    return name


@pytest.fixture(scope="session")
def torch_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript archive: the store's, or one that is built for these tests."""
    if given := os.environ.get("MARLINE_TEST_STORE"):
        with contextlib.suppress(StoreError):
            return Store(Path(given)).archive("sentiment", "1.0.0", TORCH_VARIANT)
    store = tmp_path_factory.mktemp("store")
    command = [sys.executable, str(ROOT / "build.py"), "build", "sentiment", "--variant", TORCH_VARIANT]
    subprocess.run([*command, "--store", str(store)], check=True, cwd=ROOT)
    return Store(store).archive("sentiment", "1.0.0", TORCH_VARIANT)


@pytest.fixture(scope="session")
def full_image(cluster: Cluster, torch_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Dockerfile's image with torch on the cluster; its name. Of several GB, so that nothing of it is kept."""
    require_tools(cluster)
    name = f"{TAG}-full:{inputs_digest(torch_built)[:16]}"
    base_image()
    started = time.monotonic()
    build(name, torch_built, "full")
    built_in, started = time.monotonic() - started, time.monotonic()
    try:
        size = bring(cluster, name, tmp_path_factory.mktemp("image") / "image.tar")
    finally:
        subprocess.run(["buildah", "rmi", name], check=True, stdout=subprocess.DEVNULL)
    brought_in = time.monotonic() - started
    print(f"\n{name}: {size / 1e6:.0f} MB, built in {built_in:.0f} s, brought to the cluster in {brought_in:.0f} s")
    try:
        yield name
    finally:
        forget(cluster, name)


@pytest.fixture(scope="session")
def rollout_image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Dockerfile's image with Helm on the cluster; its name."""
    require_tools(cluster)
    helm = Path(cluster.tool("helm"))
    name = f"{TAG}-rollout:{inputs_digest(helm)[:16]}"
    present = subprocess.run(["buildah", "inspect", "--type", "image", name], capture_output=True, check=False)
    if present.returncode:
        base_image()
        build(name, None, "rollout", f"--helm={helm}")
        for older in older_images(name):
            subprocess.run(["buildah", "rmi", "--force", older], check=True, stdout=subprocess.DEVNULL)
    if name not in on_cluster(cluster):
        bring(cluster, name, tmp_path_factory.mktemp("image") / "image.tar")
    return name


def older_images(name: str) -> list[str]:
    """The builder's images of the same kind, but not the one of this name."""
    command = ["buildah", "images", "--format", "{{.Name}}:{{.Tag}}"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [found for found in listed if found.startswith(f"{name.rsplit(':', 1)[0]}:") and found != name]


def require_reach(cluster: Cluster) -> None:
    """Skip where this machine has no way to the addresses of Services and pods."""
    if cluster.settings is not None:
        return
    service = cluster.get("-n", "default", "service", "kubernetes")["spec"]
    address = (service["clusterIP"], service["ports"][0]["port"])
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        pytest.skip(f"no way to the cluster's own addresses ({address[0]}: {error}); run the tests on one of its nodes")


def require_tools(cluster: Cluster) -> None:
    """Install what builds images, or skip where nothing is installed for a test."""
    absent = [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]
    if absent and cluster.settings is None:
        pytest.skip(f"no image: not installed: {', '.join(absent)} (Debian packages of these names)")
    if absent:
        install(absent)


def bring(cluster: Cluster, name: str, archive: Path) -> int:
    """Put a built image on the cluster's nodes; returns its size in bytes."""
    try:
        subprocess.run(["buildah", "push", "--quiet", name, f"docker-archive:{archive}:{name}"], check=True)
        cluster.import_image(archive)
        return archive.stat().st_size
    finally:
        archive.unlink(missing_ok=True)


def forget(cluster: Cluster, name: str) -> None:
    """Remove an image from the node that was started here; no pod has it any more."""
    if cluster.settings is None:
        return
    node = Node(cluster.settings)
    listed = [line.split() for line in node.inside(*CTR, "images", "list").splitlines()]
    (digest,) = [words[2] for words in listed if words[0] == name]
    # the kubelet's runtime has names of its own for it; the last one frees the disk
    node.inside(*CTR, "images", "remove", "--sync", *(words[0] for words in listed if words[2] == digest))


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


def build(name: str, archive: Path | None, target: str = "slim", *more: str) -> None:
    """`make image` with this machine's builder."""
    authority = os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt"
    options = [
        "--isolation=chroot", "--network=host",
        # layers are kept for the next build, but not those of several GB
        f"--layers={'false' if target == 'full' else 'true'}",
        f"--volume={Path(authority).resolve()}:/authority.crt:ro", "--build-arg=PIP_CERT=/authority.crt",
    ]  # fmt: skip
    command = [
        sys.executable,
        str(ROOT / "tools" / "image.py"),
        "--tool=buildah",
        f"--base={BASE}",
        f"--target={target}",
    ]
    command += [f"--tag={name}", *(f"--option={o}" for o in options), *more]
    if archive is not None:
        command += [f"--store={archive.parents[3]}", "/".join(archive.parts[-4:-1])]
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
