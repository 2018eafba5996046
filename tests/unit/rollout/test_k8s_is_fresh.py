"""k8s/ is what helm/ and config/releases render, and kustomize makes of it what Helm would have installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.binaries import binary
from cluster.errors import ClusterError
from marline.artifact.store import Store
from marline.rollout.kustomize import HELMS_LABELS, Environment, files, write
from marline.rollout.plan import plan
from marline.rollout.render import render

ROOT = Path(__file__).resolve().parents[3]
RELEASES = sorted(path.stem for path in (ROOT / "config" / "releases").glob("*.yaml"))


def program(name: str) -> Path:
    """``$NAME`` if it is set, else the one that tests/cluster builds; else skip."""
    try:
        return Path(os.environ.get(name.upper()) or binary(name))
    except ClusterError as error:
        pytest.skip(f"no {name} (set {name.upper()} to one): {error}")


@pytest.fixture(scope="session")
def helm() -> Path:
    return program("helm")


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return program("kubectl")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a rendering reads, and k8s/; no store."""
    for name in ("config", "helm", "k8s", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def rendering(helm: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/render.py", "--helm", str(helm), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_is_fresh(helm: Path) -> None:
    done = rendering(helm, ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_file_is_named_and_written_again(helm: Path, checkout: Path) -> None:
    local = checkout / "k8s" / "overlays" / "local" / "kustomization.yaml"
    right = local.read_text()
    local.write_text(right.replace("newTag", "newTga"))
    done = rendering(helm, checkout, "--check")
    assert done.returncode == 1
    assert done.stderr == (
        "k8s/overlays/local/kustomization.yaml: not what helm/ and config/releases render; run `make render`\n"
    )
    assert local.read_text() != right
    assert rendering(helm, checkout).returncode == 0
    assert local.read_text() == right


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("helm/templates/deployment.yaml", "maxSurge: 1", "maxSurge: 2"),
        ("config/releases/local.yaml", "replicas: 1", "replicas: 2"),
        ("config/releases/production.lock.json", '"mean_ms": ', '"mean_ms": 100'),
    ],
)
def test_each_of_its_sources_makes_it_stale(helm: Path, checkout: Path, path: str, old: str, new: str) -> None:
    text = (checkout / path).read_text()
    assert old in text
    (checkout / path).write_text(text.replace(old, new))
    done = rendering(helm, checkout, "--check")
    assert done.returncode == 1
    assert done.stderr.endswith("run `make render`\n"), done.stderr


def test_a_release_that_is_refused_leaves_everything_as_it_was(helm: Path, checkout: Path) -> None:
    before = {path: path.read_bytes() for path in (checkout / "k8s").rglob("*.yaml")}
    release = checkout / "config" / "releases" / "production.yaml"
    release.write_text(release.read_text().replace("max_replicas: 8", "max_replicas: 1"))
    done = rendering(helm, checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("render: config/releases/production.yaml:")
    assert "autoscaling.min_replicas: 2 is greater than max_replicas 1" in done.stderr
    assert {path: path.read_bytes() for path in (checkout / "k8s").rglob("*.yaml")} == before


def test_what_the_chart_alone_refuses_is_said_with_the_file(helm: Path, checkout: Path) -> None:
    release = checkout / "config" / "releases" / "local.yaml"
    release.write_text(release.read_text() + "chart:\n  service: {type: Nowhere}\n")
    done = rendering(helm, checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("render: config/releases/local.yaml: the chart refuses its values: ")
    assert "/service/type" in done.stderr


def kustomized(kubectl: Path, overlay: Path) -> list[dict[str, Any]]:
    done = subprocess.run([kubectl, "kustomize", overlay], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return in_order(yaml.safe_load_all(done.stdout))


def in_order(objects: Any) -> list[dict[str, Any]]:
    return sorted(objects, key=lambda item: (item["kind"], item["metadata"]["name"]))


@pytest.fixture(scope="module")
def environments(helm: Path) -> Iterator[dict[str, Environment]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        plans = {name: plan(name, None) for name in RELEASES}
        yield {
            name: Environment(found.release.namespace, found.release.image, render(helm, found))
            for name, found in plans.items()
        }


def installed(environment: Environment) -> list[dict[str, Any]]:
    """What Helm rendered, with the namespace that it would be installed to."""
    out = []
    for item in yaml.safe_load_all(yaml.safe_dump_all(environment.objects)):
        labels = item["metadata"]["labels"]
        item["metadata"]["labels"] = {key: value for key, value in labels.items() if key not in HELMS_LABELS}
        out.append({**item, "metadata": {**item["metadata"], "namespace": environment.namespace}})
    return in_order(out)


@pytest.mark.parametrize("name", RELEASES)
def test_an_overlay_is_what_helm_would_install(kubectl: Path, environments: dict[str, Environment], name: str) -> None:
    assert kustomized(kubectl, ROOT / "k8s" / "overlays" / name) == installed(environments[name])


@pytest.mark.parametrize("name", RELEASES)
def test_so_it_is_with_any_environment_as_the_base(
    kubectl: Path, environments: dict[str, Environment], tmp_path: Path, name: str
) -> None:
    write(tmp_path, files(environments, "production"))
    assert kustomized(kubectl, tmp_path / "overlays" / name) == installed(environments[name])


@pytest.mark.parametrize("name", RELEASES)
def test_a_lock_is_about_the_archives_that_a_build_makes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    store = Store(os.environ.get("MARLINE_TEST_STORE") or "model_store")
    notes = plan(name, store).notes
    if notes:
        pytest.skip(f"{notes[0]}: run `make build`, or set MARLINE_TEST_STORE to a built store")
