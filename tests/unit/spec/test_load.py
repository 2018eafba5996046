from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marline.errors import SpecError
from marline.spec import load_model_spec, resolve_spec_path

from .conftest import DELETE, SHA, SPEC, TENSOR_SPEC, changed

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", sorted((ROOT / "config/models").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_project_s_own_specs_are_valid_and_named_after_their_file(path):
    spec = load_model_spec(path, untrained=True)
    assert spec.name == path.stem
    assert path.read_text().startswith("# yaml-language-server: $schema=../schemas/model-spec.schema.json\n")


def test_a_name_is_a_file_in_config_models(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/models").mkdir(parents=True)
    shutil.move(write(SPEC), "config/models/toy.yaml")
    assert resolve_spec_path("toy") == Path("config/models/toy.yaml")
    assert load_model_spec("toy").name == "toy"
    with pytest.raises(SpecError, match=r"config/models/tyo.yaml: no such spec; did you mean 'toy'\? allowed: toy"):
        resolve_spec_path("tyo")
    with pytest.raises(SpecError, match=r"else\.yaml: no such file; give a spec file"):
        resolve_spec_path("else.yaml")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "a" * 5000 + ".yaml", "a\0.yaml", ""])
def test_an_impossible_name_is_a_spec_error(name):
    with pytest.raises(SpecError):
        resolve_spec_path(name)


@pytest.mark.parametrize("key", ["trained", "calibration", "golden"])
def test_a_missing_input_says_how_to_make_it(problems, write, key):
    spec = changed(SPEC, (key, {"file": "toy/x.bin", "sha256": SHA}))
    (found,) = problems(spec)
    assert f" {key}.file: " in found
    assert "toy/x.bin does not exist; make it with `marline train toy` or correct the path" in found
    path = write(spec)
    assert load_model_spec(path, untrained=True).name == "toy"
    (path.parent / "toy").mkdir()
    (path.parent / "toy/x.bin").touch()
    assert load_model_spec(path).name == "toy"


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ({"kind": "file", "path": "m.pt", "sha256": SHA}, "source.path"),
        ({"kind": "hub", "repository": "a/b", "revision": "0" * 40, "local": "m.pt"}, "source.local"),
    ],
)
def test_a_missing_local_model_is_one_problem(problems, tmp_path, source, key):
    (found,) = problems(changed(TENSOR_SPEC, ("source", source)))
    assert f" {key}: " in found
    assert "m.pt does not exist" in found
    (tmp_path / "m.pt").touch()
    assert problems(changed(TENSOR_SPEC, ("source", source))) == []


def _paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*at, key))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw):
    spec = copy.deepcopy(draw(st.sampled_from([SPEC, TENSOR_SPEC])))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in _paths(spec) if p]))
        at = spec
        for part in path[:-1]:
            at = at[part]
        match draw(st.sampled_from(["replace", "delete", "add"])):
            case "replace":
                at[path[-1]] = draw(ANY)
            case "delete":
                del at[path[-1]]
            case "add" if isinstance(at, dict):
                at[draw(st.sampled_from(["kind", "kin", "0", "gates", "", "[key]"]) | st.text(max_size=5))] = draw(ANY)
            case _:
                at.append(draw(ANY))
    return spec


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutated())
def test_no_mutation_of_a_spec_raises_anything_but_spec_error(tmp_path, spec):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    try:
        load_model_spec(path)
    except SpecError as error:
        assert error.problems
        assert all(p.startswith(f"{path}:") and "\n" not in p for p in error.problems)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 900), st.integers(0, 20), st.binary(max_size=6) | st.sampled_from([b": ", b"- ", b"{", b"&a ", b"*a", b"<<: "]))
def test_no_mutation_of_the_bytes_raises_anything_but_spec_error(tmp_path, start, length, bytes_):
    path = tmp_path / "toy.yaml"
    text = yaml.safe_dump(SPEC, sort_keys=False).encode()
    path.write_bytes(text[:start] + bytes_ + text[start + length :])
    try:
        load_model_spec(path)
    except SpecError as error:
        assert error.problems


def test_deleting_each_optional_top_level_key_leaves_a_valid_spec(problems):
    for key in ("data", "training", "inference_parameters", "serving"):
        assert problems(changed(SPEC, (key, DELETE))) == []
