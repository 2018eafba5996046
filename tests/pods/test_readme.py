"""README's way onto a cluster, and the plain manifests, word for word except for what a comment here names."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.api import RESTRICTED, Cluster
from cluster.containers import CTR
from cluster.node import Node
from docs.blocks import blocks
from pods.chart import ask
from pods.load import QUESTIONS, wrong

ROOT = Path(__file__).parent.parent.parent
NAMESPACE = "sentiment"
NAME = "localhost/marline/sentiment:1.0.0"
(STEPS,) = [block.text for block in blocks(ROOT / "README.md") if "cluster" in block.tags]
(PLAIN,) = [block.text for block in blocks(ROOT / "docs" / "08-releases.md") if "--kustomize" in block.text]
# stands where docker would: what it is asked to build has been built already, from the same Dockerfile and archive
DOCKER = """#!/bin/sh
set -eu
[ "$1" = build ]
while [ "$1" != --tag ]; do shift; done
buildah tag {image} "$2"
"""


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The namespace that the release names, for this test alone; it admits only ``restricted`` pods."""
    if NAMESPACE in cluster.kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").split():
        pytest.skip(f"the cluster has a namespace {NAMESPACE} already, which this test would delete")
    cluster.kubectl("create", "namespace", NAMESPACE)
    try:
        cluster.kubectl("label", "namespace", NAMESPACE, RESTRICTED)
        yield NAMESPACE
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")


@pytest.fixture
def checkout(built: Path, tmp_path: Path) -> Path:
    """A copy of the checkout with the built store in it."""
    if built.parent.name != "onnx-int8-static":
        pytest.skip(f"README's release names onnx-int8-static, MARLINE_TEST_VARIANT is {built.parent.name}")
    for name in ("config", "helm", "k8s", "image", "requirements", "tools", "src", "handlers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "model_store").symlink_to(built.parents[3])
    return tmp_path


@pytest.fixture
def shell(cluster: Cluster, checkout: Path, image: str) -> Callable[[str], str]:
    """Runs lines in the checkout; kubectl and helm are the cluster's, docker is a stand-in."""
    programs = checkout / "programs"
    programs.mkdir()
    for name in ("kubectl", "helm"):
        (programs / name).symlink_to(cluster.tool(name))
    (programs / "docker").write_text(DOCKER.format(image=image))
    (programs / "docker").chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in cluster.environment.items() if not name.startswith("MARLINE_")}

    def run(lines: str) -> str:
        script = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + lines
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=checkout, env={**kept, "PATH": path}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def load(cluster: Cluster, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], None]]:
    """What `kind load docker-image` does to kind, done once to this cluster; in the end both sides lose the name."""
    brought: list[str] = []

    def bring() -> None:
        if brought:
            return
        archive = tmp_path_factory.mktemp("image") / "image.tar"
        subprocess.run(["buildah", "push", "--quiet", NAME, f"docker-archive:{archive}:{NAME}"], check=True)
        cluster.import_image(archive)
        archive.unlink()
        brought.append(NAME)

    try:
        yield bring
    finally:
        # only the name goes while the image has another
        subprocess.run(["buildah", "rmi", NAME], check=False, capture_output=True)
        if cluster.settings is not None and brought:
            Node(cluster.settings).inside(*CTR, "images", "remove", *brought)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_readme_from_image_to_answer(load: Callable[[], None], namespace: str, shell: Callable[[str], str]) -> None:
    building, loading, rest = re.fullmatch(r"(make image .*\n)(kind load .*\n)((?s:.*))", STEPS).groups()  # type: ignore[union-attr]
    assert loading == f"kind load docker-image {NAME}\n"
    # `make image` without `make setup`: the environment is the one that runs this
    arguments = re.fullmatch(r'make image ARGS="(.*)"\n', building)
    assert arguments, building
    shell(f"python tools/image.py {arguments[1]}")
    # the user's kind is not there
    load()
    # another server of this machine may have the port
    port = free_port()
    rest = rest.replace("sentiment-marline 8080 &", f"sentiment-marline {port}:8080 >&2 &")
    rest = rest.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    assert rest.count(str(port)) == 2
    said = shell(rest)
    assert "golden requests answered rightly" in said
    answer = json.loads(said[said.rindex('{"label"') :])
    assert answer["label"] == "positive"
    assert answer["variant"] == "onnx-int8-static"
    shell(f"helm uninstall sentiment --namespace {namespace} --wait")


def test_plain_manifests_answer_as_well(
    cluster: Cluster, load: Callable[[], None], namespace: str, image: str, shell: Callable[[str], str]
) -> None:
    subprocess.run(["buildah", "tag", image, NAME], check=True)
    load()
    lines = re.findall(r"^\$ (.*)$", PLAIN, re.MULTILINE)
    # the namespace is there already, so that it admits only restricted pods
    assert lines[0] == f"kubectl create namespace {namespace}"
    shell("\n".join(lines[1:]))
    address = cluster.kubectl(
        "-n", namespace, "get", "service", "sentiment-marline", "-o", "jsonpath={.spec.clusterIP}"
    )
    text, label = QUESTIONS[0]
    url = f"http://{address}:8080/predictions/sentiment"
    # the Service's rules may know a ready pod a moment later
    cluster.until(lambda: not wrong(*ask(url, {"text": text}), label), "a right answer", 10)
