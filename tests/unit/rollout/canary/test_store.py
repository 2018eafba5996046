from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from marline.errors import MarlineError
from marline.rollout.canary import record as records
from marline.rollout.canary import store as stores
from marline.rollout.canary.state import State
from marline.rollout.canary.store import Gone, Store
from unit.rollout.api_server import Api, kube, refusal, served
from unit.rollout.canary.world import plan

ORDER = {"verb": "step", "by": "ada@laptop", "at": 1.0, "rollout": "20261121-193300"}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def store(api: Api) -> Iterator[Store]:
    with served(api) as url:
        yield Store(kube(url), "toy-rollout", "toy")


def begin(store: Store, number: int = 0, size: int = 0) -> Any:
    rollout = plan(id=f"20261121-1933{number:02}")
    record = {**records.begin(rollout), "padding": [hash((n, number)) for n in range(size)]}
    return rollout, State(1.0), record, store.begin(rollout, State(1.0), record)


def over(store: Store, number: int = 0, size: int = 0) -> None:
    rollout, state, record, other = begin(store, number, size)
    assert other is None
    state.enter("done", 2.0)
    store.save(rollout, state, record)


def test_before_the_first_one_there_is_none(store: Store) -> None:
    assert store.load() is None
    assert store.history() == []


def test_a_rollout_is_found_as_it_was_written(store: Store, api: Api) -> None:
    rollout, state, record, other = begin(store)
    assert other is None
    found = store.load()
    assert found is not None
    assert (found.plan, found.state, found.record, found.order) == (rollout, state, record, None)
    assert api.all("configmaps")["toy-rollout"]["metadata"]["labels"]["app.kubernetes.io/instance"] == "toy"


def test_one_that_is_not_over_is_not_written_over(store: Store, api: Api) -> None:
    rollout, *_ = begin(store)
    before = api.all("configmaps")
    _, _, _, other = begin(store, 1)
    assert other.plan == rollout
    assert api.all("configmaps") == before


def test_of_two_that_begin_at_once_one_is_refused(store: Store, api: Api) -> None:
    second: list[Any] = []
    inner = store.kube.create

    def late(resource: str, body: dict[str, Any]) -> dict[str, Any]:
        if not second:
            second.append(None)
            second[0] = begin(store, 1)[3]
        return inner(resource, body)

    store.kube.create = late  # type: ignore[method-assign]
    _, _, _, other = begin(store)
    assert second == [None]
    assert other.plan.id == "20261121-193301"


def test_records_of_those_that_are_over_are_kept(store: Store) -> None:
    for number in range(13):
        over(store, number)
    begin(store, 13)
    assert [record["id"] for record in store.history()] == [f"20261121-1933{n:02}" for n in range(3, 14)]


def test_only_as_many_as_there_is_place_for(store: Store, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOST_HISTORY_BYTES", 30_000)
    for number in range(5):
        over(store, number, 1000)
    kept = {k: v for k, v in api.all("configmaps")["toy-rollout"]["binaryData"].items() if k != "record"}
    assert 1 <= len(kept) < 4
    assert sum(map(len, kept.values())) <= 30_000
    assert max(kept) == "record-20261121-193303"


def test_how_far_it_has_come_is_written(store: Store) -> None:
    rollout, state, record, _ = begin(store)
    state.enter("watch", 3.0)
    record["events"].append({"at": 3.0, "kind": "go", "text": "On."})
    assert store.save(rollout, state, record) is None
    found = store.load()
    assert found is not None
    assert (found.state, found.record) == (state, record)


def test_an_order_is_heard_until_it_is_carried_out(store: Store) -> None:
    given = begin(store)[:3]
    store.order(ORDER)
    assert store.save(*given) == ORDER
    assert store.save(*given) == ORDER
    store.carried_out(ORDER)
    assert store.save(*given) is None
    store.carried_out(ORDER)


def test_an_order_that_was_given_meanwhile_is_not_taken_away(store: Store) -> None:
    given = begin(store)[:3]
    store.order(ORDER)
    newer = {**ORDER, "verb": "abort", "at": 2.0}
    store.order(newer)
    store.carried_out(ORDER)
    assert store.save(*given) == newer


def test_an_order_between_reading_and_writing_is_kept(store: Store, api: Api) -> None:
    given = begin(store)[:3]
    seen: list[int] = []

    def between(call: Any) -> None:
        if call.method == "PUT" and not seen:
            seen.append(1)
            body = api.all("configmaps")["toy-rollout"]
            body["data"]["order"] = json.dumps(ORDER)
            api.put("configmaps", body)

    api.trouble = between
    assert store.save(*given) == ORDER


def test_a_new_rollout_does_not_hear_orders_of_the_last_one(store: Store) -> None:
    over(store)
    store.order(ORDER)
    begin(store, 1)
    found = store.load()
    assert found is not None
    assert found.order is None


def test_where_another_one_is_nothing_is_written(store: Store, api: Api) -> None:
    rollout, state, record, _ = begin(store)
    before = api.all("configmaps")
    with pytest.raises(Gone, match="^configmaps/toy-rollout: holds rollout 20261121-199999 no longer; the release stays as it is"):
        store.save(replace(rollout, id="20261121-199999"), state, record)
    assert api.all("configmaps") == before
    api.drop("configmaps", "toy-rollout")
    with pytest.raises(Gone):
        store.save(rollout, state, record)


@pytest.mark.parametrize("verb", ["begin", "save", "carried_out"])
def test_what_changes_all_the_time_is_not_tried_for_ever(store: Store, api: Api, verb: str) -> None:
    given = begin(store)[:3]
    state = State(1.0, "done")
    store.save(given[0], state, given[2])
    store.order(ORDER)
    api.trouble = lambda call: refusal(409, "modified") if call.method == "PUT" else None
    arguments = (ORDER,) if verb == "carried_out" else given
    with pytest.raises(MarlineError, match="^configmaps/toy-rollout: changes faster than it can be written; try again$"):
        getattr(store, verb)(*arguments)
    assert len([call for call in api.calls if call.method == "PUT"]) == 1 + stores.ATTEMPTS


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.pop("data"),
        lambda body: body["data"].update(plan="{"),
        lambda body: body["data"].update(state='{"entered": 1, "colour": "red"}'),
        lambda body: body["binaryData"].update(record="?"),
        lambda body: body["data"].update(plan='{"schema_version": 1}'),
    ],
)
def test_what_this_version_does_not_know_is_refused(store: Store, api: Api, damage: Any) -> None:
    begin(store)
    body = api.all("configmaps")["toy-rollout"]
    damage(body)
    api.put("configmaps", body)
    with pytest.raises(MarlineError, match=r"^configmaps/toy-rollout in namespace models: holds no rollout that this version knows \("):
        store.load()
    with pytest.raises(MarlineError, match="holds no rollout that this version knows"):
        begin(store, 1)
