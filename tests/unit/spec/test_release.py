from __future__ import annotations

from pathlib import Path

import pytest

from marline.errors import SpecError
from marline.spec.explain import validate
from marline.spec.release import ReleaseSpec, lock_path, resolve_release_path
from marline.spec.yaml import read_yaml

RELEASES = sorted((Path(__file__).parents[3] / "config" / "releases").glob("*.yaml"))
LEAST = """\
release: scaler
namespace: models
image: {repository: registry.example.com/scaler, tag: 1.0.0}
variants:
  only: {model: scaler, version: 1.0.0, variant: onnx-fp32}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("config/releases").mkdir(parents=True)
    for name in ("production", "staging"):
        Path(f"config/releases/{name}.yaml").write_text(LEAST)
    return tmp_path


def test_a_release_of_one_endpoint_needs_four_keys(project: Path) -> None:
    release = validate(ReleaseSpec, read_yaml(resolve_release_path("staging")))
    assert release.primary_endpoint == "only"
    only = release.variants["only"]
    assert (only.weight, only.replicas, only.autoscaling, only.grace_s, only.cpu_features) == (None,) * 5
    assert only.archive.kind == "image"
    assert release.front.enabled


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_the_committed_releases_are_right(path: Path) -> None:
    validate(ReleaseSpec, read_yaml(path))


def test_a_release_is_named_or_given_by_its_path(project: Path) -> None:
    named = resolve_release_path("production")
    assert named == Path("config/releases/production.yaml")
    assert resolve_release_path(project / named) == project / named
    assert lock_path(named) == Path("config/releases/production.lock.json")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("prodution", "config/releases/prodution.yaml: no such release; did you mean 'production'? allowed: production, staging"),
        ("x", "config/releases/x.yaml: no such release; allowed: production, staging"),
        ("my/prod.yaml", "my/prod.yaml: no such file; give a release file, or the name of one in config/releases"),
    ],
)
def test_a_release_that_is_not_there_is_refused_with_those_that_are(project: Path, name: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_release_path(name)
    assert caught.value.problems == [sentence]


def test_elsewhere_the_refusal_says_where_to_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="allowed: none here, run it from the project"):
        resolve_release_path("production")
