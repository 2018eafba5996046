"""`helm template` of this repository's chart, as text, as objects, or as a refusal."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
SCENARIOS = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
RELEASE, NAMESPACE = "sentiment", "models"
ENDPOINT = "onnx-int8-static"

Manifest = dict[str, Any]


class Refused(Exception):
    """What Helm said."""


@dataclass(frozen=True)
class Chart:
    """The chart, rendered by one Helm."""

    helm: Path

    def run(self, *arguments: str | Path, values: str = "") -> str:
        """Run Helm with ``values`` as its standard input."""
        # Nothing of the user's own Helm: no repositories, no plugins, no cluster.
        env = {key: value for key, value in os.environ.items() if not key.startswith(("HELM_", "KUBE"))}
        done = subprocess.run(
            [self.helm, *arguments], input=values, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout

    @functools.cache  # noqa: B019 - one chart lives as long as the tests do
    def text(self, scenario: str | None = "minimal", values: str = "", release: str = RELEASE) -> str:
        """The manifests of a scenario, with further values over it."""
        files = [] if scenario is None else ["-f", SCENARIOS[scenario]]
        where = ["--namespace", NAMESPACE, "--kube-version", "1.36.0"]
        rendered = self.run("template", release, CHART, *where, *files, "-f", "-", values=values)
        # Helm 4 leaves an empty line between two documents, Helm 3 does not
        return re.sub(r"\n\n+---\n", "\n---\n", rendered).rstrip() + "\n"

    def objects(self, scenario: str | None = "minimal", values: str = "", release: str = RELEASE) -> Objects:
        """The same as objects."""
        documents = yaml.safe_load_all(self.text(scenario, values, release))
        return Objects([document for document in documents if document])

    def refusal(self, scenario: str | None, values: str) -> str:
        """What Helm says when it refuses; an error if it does not."""
        try:
            text = self.text(scenario, values)
        except Refused as refused:
            return str(refused)
        raise AssertionError(f"accepted:\n{values}\n{text[:400]}")

    @property
    def major(self) -> int:
        """Helm 3 or 4."""
        return int(self.run("version", "--short").lstrip("v").split(".")[0])

    def notes(self, scenario: str, values: str = "") -> str:
        """What `helm install` prints."""
        done = self.run(
            "install",
            RELEASE,
            CHART,
            "--namespace",
            NAMESPACE,
            "--dry-run=client",
            "-f",
            SCENARIOS[scenario],
            "-f",
            "-",
            values=values,
        )
        return done.split("\nNOTES:\n")[1]


class Objects(list[Manifest]):
    """Rendered objects."""

    def of(self, kind: str) -> list[Manifest]:
        """All of a kind, in the order of their rendering."""
        return [item for item in self if item["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Manifest:
        """The only one of a kind, or the one of that name."""
        found = [item for item in self.of(kind) if name in (None, item["metadata"]["name"])]
        assert len(found) == 1, (
            f"{len(found)} objects {kind} {name}: {[item['metadata']['name'] for item in self.of(kind)]}"
        )
        return found[0]

    def servers(self) -> list[Manifest]:
        """Deployments of variants: not the one of Flagger's replay."""
        return [item for item in self.of("Deployment") if not item["metadata"]["name"].endswith("-replay")]

    def pods(self) -> Iterator[tuple[str, Manifest, Manifest]]:
        """Name, metadata and spec of every pod: those of Deployments and the tests."""
        for item in self.of("Deployment"):
            yield item["metadata"]["name"], item["spec"]["template"]["metadata"], item["spec"]["template"]["spec"]
        for item in self.of("Pod"):
            yield item["metadata"]["name"], item["metadata"], item["spec"]


def settings_of(metadata: Manifest) -> str:
    """The `pod.yaml` that a pod of this metadata mounts."""
    text = metadata["annotations"]["marline.dev/pod.yaml"]
    assert isinstance(text, str)
    return text


def containers(spec: Manifest) -> dict[str, Manifest]:
    """Every container of a pod by its name, in the order of their start."""
    return {item["name"]: item for item in [*spec.get("initContainers", []), *spec["containers"]]}


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector of labels takes a pod with these labels."""
    return selector.items() <= labels.items()
