"""The lock: values without a store, and a refusal where both disagree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from marline.artifact.store import Store
from marline.errors import SpecError
from marline.rollout.lock import write_lock
from marline.rollout.plan import Plan, plan
from unit.rollout.conftest import evidence, put
from unit.spec.conftest import DELETE

LOCK = Path("config/releases/staging.lock.json")
AGAIN = "; write the lock again with `marline release staging --lock`"
Planned = Callable[..., Plan]


@pytest.fixture
def locked(store: Store) -> Store:
    write_lock(LOCK, plan("staging", store, locking=True).facts)
    return store


def edit(key: str, value: object) -> None:
    document = json.loads(LOCK.read_text())
    document["variants"]["main"][key] = value
    LOCK.write_text(json.dumps(document, indent=2))


def test_a_lock_gives_the_values_that_the_store_gave(store: Store, planned: Planned) -> None:
    text = planned().text
    write_lock(LOCK, planned().facts)
    assert planned().text == text
    assert planned(where=None).text == text
    shutil.rmtree(store.root)
    without = planned()
    assert without.text == text
    assert [note.partition(";")[0] for note in without.notes] == [
        "model_store holds no scaler 1.0.0 onnx-fp32", "model_store holds no scaler 1.0.0 onnx-int8",
    ]  # fmt: skip


def test_other_measurements_change_nothing_until_the_lock_is_written_again(locked: Store, planned: Planned) -> None:
    text = planned().text
    evidence(locked, "onnx-fp32", times_ms=[800.0])
    evidence(locked, "onnx-fp32", "avx512", times_ms=[1.0])
    assert planned().text == text
    assert "takes 800.0 ms" in plan_again(locked)


def plan_again(store: Store) -> str:
    shutil.rmtree(store.directory("scaler", "1.0.0", "onnx-fp32") / "evidence")
    evidence(store, "onnx-fp32", times_ms=[800.0])
    return plan("staging", store, locking=True).text


def test_other_bytes_in_the_store_are_refused(locked: Store, problems: Callable[..., list[str]]) -> None:
    edit("sha256", "0" * 64)
    (found,) = problems()
    digest = locked.sha256("scaler", "1.0.0", "onnx-fp32")
    assert found == f"variants.main.sha256: is {'0' * 64}, but model_store holds scaler 1.0.0 onnx-fp32 as {digest}{AGAIN}"


def test_a_damaged_archive_is_refused_although_the_lock_knows_it(locked: Store, problems: Callable[..., list[str]]) -> None:
    locked.archive("scaler", "1.0.0", "onnx-fp32").unlink()
    (found,) = problems()
    assert found.startswith("variants.main.variant: model_store/")
    assert "the archive is missing" in found


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("variants.main.variant", "onnx-int8"), "variants.main: {lock} does not know scaler 1.0.0 onnx-int8"),
        (("variants.main.cpu_class", "avx512"), "variants.main: {lock} does not know scaler 1.0.0 onnx-fp32 on CPU class avx512"),
    ],
)
def test_what_the_lock_does_not_know_is_refused(
    locked: Store, problems: Callable[..., list[str]], change: tuple[str, str], sentence: str
) -> None:
    assert problems(change) == [sentence.format(lock=LOCK) + AGAIN]
    assert problems(change, where=None) == [sentence.format(lock=LOCK) + AGAIN]


def test_what_neither_lock_nor_store_knows_is_the_stores_refusal(locked: Store, problems: Callable[..., list[str]]) -> None:
    (found,) = problems(("variants.main.version", "2.0.0"))
    assert found.startswith("variants.main.version: model_store: no version '2.0.0' of scaler (there are: 1.0.0)")


def test_an_endpoint_of_the_lock_that_the_release_has_not_is_refused(locked: Store, problems: Callable[..., list[str]]) -> None:
    (found,) = problems(("variants.canary", DELETE), ("variants.main.weight", 100))
    assert found == f"variants.canary: is no variant of config/releases/staging.yaml{AGAIN}"


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 2, "variants": {}}', '{"variants": {}}'])
def test_a_file_that_is_no_lock_is_refused(locked: Store, problems: Callable[..., list[str]], text: str) -> None:
    LOCK.write_text(text)
    with pytest.raises(SpecError) as caught:
        plan("staging", locked)
    assert all(problem.startswith(str(LOCK)) and problem.endswith(AGAIN) for problem in caught.value.problems)


def test_without_lock_and_store_nothing_follows(planned: Planned) -> None:
    with pytest.raises(SpecError) as caught:
        planned(where=None)
    assert caught.value.problems == [f"{LOCK}: there is no such lock{AGAIN}"]


def test_a_release_given_by_its_path_is_named_by_it(store: Store) -> None:
    path = put("elsewhere/mine.yaml", json.loads(json.dumps(plan("staging", store).release.model_dump(exclude_none=True, exclude_unset=True))))
    with pytest.raises(SpecError, match="`marline release elsewhere/mine.yaml --lock`"):
        plan(str(path), None)
