"""`marline release`: values on standard output or in a file, and nothing written when it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from marline.artifact.store import Store
from marline.cli import main
from unit.rollout.conftest import RELEASE, published, put, store
from unit.spec.conftest import changed

__all__ = ["published", "store"]
LOCK = Path("config/releases/staging.lock.json")


def release(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["release", "staging", *arguments])


def test_values_are_printed_or_written(store: Store) -> None:
    printed = release()
    assert printed.exit_code == 0, printed.stderr
    assert set(yaml.safe_load(printed.stdout)["variants"]) == {"main", "canary"}
    assert printed.stderr == ""
    written = release("--output", "values.yaml")
    assert written.stdout == "values.yaml\n"
    assert Path("values.yaml").read_text() == printed.stdout


def test_the_store_is_the_one_that_is_named(store: Store) -> None:
    store.root.rename("other")
    assert release().exit_code == 1
    assert release("--store", "other").exit_code == 0


def test_a_lock_is_written_and_used(store: Store) -> None:
    before = release().stdout
    done = release("--lock")
    assert (done.exit_code, done.stdout) == (0, f"{LOCK}\n")
    again = release("--store", "nowhere")
    assert again.stdout == before
    assert again.stderr.splitlines()[0] == (
        f"note: nowhere holds no scaler 1.0.0 onnx-fp32; what {LOCK} says of it holds"
    )


def test_a_lock_is_written_again_from_the_store(store: Store) -> None:
    assert release("--lock").exit_code == 0
    lock = LOCK.read_text()
    LOCK.write_text(lock.replace(store.sha256("scaler", "1.0.0", "onnx-fp32"), "0" * 64))
    assert release().exit_code == 1
    assert release("--lock").exit_code == 0
    assert LOCK.read_text() == lock


def test_every_problem_is_a_line_and_nothing_is_written(store: Store) -> None:
    assert release("--lock").exit_code == 0
    lock = LOCK.read_bytes()
    Path("values.yaml").write_text("mine")
    put("config/releases/staging.yaml", changed(RELEASE, ("variants.main.weight", 91), ("variants.main.grace_s", 1)))
    for arguments in ((), ("--output", "values.yaml"), ("--lock",)):
        refused = release(*arguments)
        assert (refused.exit_code, refused.stdout) == (1, "")
        lines = refused.stderr.splitlines()
        assert [line.split(": ")[:3] for line in lines] == [
            ["error", "config/releases/staging.yaml:7", "variants.*.weight"],
            ["error", "config/releases/staging.yaml:21", "variants.main.grace_s"],
        ]
    assert Path("values.yaml").read_text() == "mine"
    assert LOCK.read_bytes() == lock
    assert not list(Path().rglob("*.partial"))


def test_a_folder_that_is_not_there_is_named(store: Store) -> None:
    refused = release("--output", "no/values.yaml")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "error: no/values.yaml: cannot be written (No such file or directory); name a file in a folder that is there\n"
    )


def test_a_lock_has_a_place_of_its_own(store: Store) -> None:
    refused = release("--lock", "--output", "values.yaml")
    assert refused.exit_code == 2
    assert "leave --output out" in refused.stderr


@pytest.mark.parametrize("name", ["stagin", "nothing/here.yaml"])
def test_a_release_that_is_not_there_is_one_line(store: Store, name: str) -> None:
    refused = CliRunner().invoke(main, ["release", name])
    assert refused.exit_code == 1
    assert len(refused.stderr.splitlines()) == 1
