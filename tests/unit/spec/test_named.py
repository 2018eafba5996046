"""A name or a path leads to one file, or to a sentence that says which there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from marline.errors import SpecError
from marline.spec.named import is_file, resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.yaml").write_text("")
    return tmp_path


def test_a_name_and_a_path_lead_to_the_same_file(folder: Path) -> None:
    assert resolve("one", folder, "thing") == resolve(folder / "one.yaml", folder, "thing") == folder / "one.yaml"


def test_a_near_miss_is_suggested(folder: Path) -> None:
    with pytest.raises(SpecError) as caught:
        resolve("on", folder, "thing")
    assert caught.value.problems == [f"{folder}/on.yaml: no such thing; did you mean 'one'? allowed: one"]


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + ".yaml", "a\0.yaml"], ids=["name", "path", "NUL"])
def test_a_name_that_no_file_can_have_is_not_there(folder: Path, name: str) -> None:
    with pytest.raises(SpecError, match="no such (thing|file)"):
        resolve(name, folder, "thing")


def test_a_folder_counts_only_where_it_may(folder: Path) -> None:
    assert not is_file(folder)
    assert is_file(folder, or_folder=True)
