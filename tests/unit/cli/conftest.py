"""The cluster of the rollouts' tests, and one release file of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from marline.cli import main
from marline.cli import rollout as verbs
from marline.rollout.kube import Kube
from marline.rollout.plan import Plan
from marline.spec.release import ReleaseSpec
from unit.rollout.canary.conftest import small
from unit.rollout.canary.world import BEFORE, GOAL, World
from unit.rollout.helm_program import install, over_http

__all__ = ["small"]
Marline = Callable[..., Result]


@pytest.fixture
def released(small: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Blue is deployed, and the release file says green."""
    install(over_http(small.kube.client.configuration.host), "toy", BEFORE)
    monkeypatch.setattr(Kube, "connect", lambda namespace: small.kube)
    monkeypatch.setattr(verbs, "PAUSE_S", 0.02)
    monkeypatch.chdir(tmp_path)
    says(monkeypatch)
    return small


def says(monkeypatch: pytest.MonkeyPatch, **rollout: Any) -> None:
    """The release file, with this section ``rollout``."""
    variants = {
        name: {"model": "toy", "version": own["version"], "variant": own["variant"], "weight": own["weight"]}
        for name, own in GOAL["variants"].items()
    }
    variants["blue"]["replicas"] = 0
    known = {"steps": [100], "pause_s": 1, "deadline_s": 20, "interval_s": 0.5, "limits": {"min_compared": 3.0, "min_windows": 1.0, "window_s": 0.0}}
    document = {
        "release": "toy", "namespace": "models", "image": {"repository": "registry.example.com/marline", "tag": "1.0.0"},
        "primary": "green", "variants": variants, "routes": {"parent_refs": [{"name": "public"}]}, "rollout": {**known, **rollout},
    }  # fmt: skip
    spec = ReleaseSpec.model_validate(document)
    path = Path("config/releases/staging.yaml")
    monkeypatch.setattr(verbs, "release_of", lambda environment, store: Plan(environment, path, spec, {}, GOAL, [], []))


@pytest.fixture
def rollout(released: World) -> Marline:
    """``marline rollout VERB staging ...``."""

    def run(verb: str, *arguments: str) -> Result:
        program = ["--helm", str(released.helm)] if verb not in ("status", "history") else []
        return CliRunner().invoke(main, ["rollout", verb, "staging", *program, *arguments])

    return run
