from __future__ import annotations

from pathlib import Path

import pytest

from marline.errors import SpecError
from marline.spec import compat
from marline.spec.compat import Compat, installed_versions, load_compat

ROW = {
    "date": "2026-01-02", "python": "3.11", "java": "25", "torchserve": "0.12.0",
    "torch": "2.15.0", "onnxruntime": "1.31.1", "transformers": "5.23.0",
}
TABLE = Compat.model_validate(
    {
        "torchserve": "0.12.0",
        "proven": [ROW],
        "bad": [{"package": "torch", "version": "2.5.1", "reason": "it is", "instead": "torch==2.15.0"}],
    }
)
FOUND = {key: value for key, value in ROW.items() if key not in ("date", "java")}


def test_a_proven_row_warns_of_nothing():
    assert TABLE.check(FOUND) == []
    assert TABLE.check({**FOUND, "torch": "2.15.0+cpu"}) == []
    assert TABLE.check({"python": "3.11", "onnxruntime": "1.31.1"}) == []


@pytest.mark.parametrize("package", ["python", "torch", "onnxruntime", "transformers", "java"])
def test_an_unproven_row_is_one_warning_with_the_versions(package):
    (warning,) = TABLE.check({**FOUND, package: "9.9"})
    assert f"{package} 9.9" in warning
    assert "run the tests and add a row" in warning


def test_known_bad_and_unsupported_versions_are_errors_all_at_once():
    with pytest.raises(SpecError) as caught:
        TABLE.check({**FOUND, "torch": "2.5.1+cu124", "torchserve": "0.11.1"})
    bad, server = caught.value.problems
    assert bad == "torch 2.5.1 is known not to work: it is; install torch==2.15.0"
    assert server.startswith("torchserve 0.11.1 is not supported (allowed: 0.12.0); ")


def test_the_project_s_table_is_found_from_any_folder(tmp_path, monkeypatch):
    here = load_compat()
    monkeypatch.chdir(tmp_path)
    assert load_compat() == here
    assert here.proven
    assert here.torchserve == "0.12.0"


def test_an_installed_wheel_has_its_own_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "marline/_data/compat.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text('torchserve: "0.12.0"\nproven: []\nbad: []\n')
    monkeypatch.setattr(compat, "_OWN_COPIES", (copy,))
    assert load_compat().proven == []
    monkeypatch.setattr(compat, "_OWN_COPIES", ())
    with pytest.raises(SpecError, match=r"config/compat\.yaml: cannot be read"):
        load_compat()


def test_problems_name_file_line_key_and_what_is_allowed(tmp_path):
    path = tmp_path / "compat.yaml"
    path.write_text("torchserve: 0.12\nproven:\n  - date: yesterday\nbad: []\nworse: []\n")
    with pytest.raises(SpecError) as caught:
        load_compat(path)
    text = str(caught.value)
    assert f"{path}:1: torchserve: 0.12 is not allowed; allowed: text (in quotes" in text
    assert f"{path}:3: proven.0.date: 'yesterday' is not allowed; allowed: text" in text
    assert f"{path}:5: worse: unknown key; allowed: bad, proven, torchserve" in text
    assert "proven.0.python: required key is missing" in text


def test_installed_versions_knows_python_and_skips_what_is_not_installed(monkeypatch):
    def version(package: str) -> str:
        if package == "torch":
            raise compat.importlib.metadata.PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(compat.importlib.metadata, "version", version)
    found = installed_versions()
    assert "torch" not in found
    assert found["onnxruntime"] == "1.2.3"
    assert found["python"].count(".") == 1


def test_the_wheel_takes_the_table_along():
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert '"config/compat.yaml" = "marline/_data/compat.yaml"' in text
