from __future__ import annotations

from typing import Any

from marline.rollout.canary.rights import KINDS, rules


def thing(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}}


BEFORE = [thing("Deployment", "toy-blue"), thing("Service", "toy-blue"), thing("HTTPRoute", "toy")]
LATER = [*BEFORE, thing("Deployment", "toy-green"), thing("Service", "toy-green")]


def allowed(found: list[dict[str, Any]], resource: str, verb: str, name: str | None = None) -> bool:
    """As the API server decides: one rule is enough; without a name, for what has none yet."""
    return any(
        resource in rule["resources"]
        and verb in rule["verbs"]
        and ("resourceNames" not in rule or name in rule["resourceNames"])
        for rule in found
    )


def test_objects_of_the_release_alone_are_changed() -> None:
    found = rules("toy-rollout", BEFORE, LATER)
    for verb in ("get", "patch", "update", "delete"):
        for name in ("toy-blue", "toy-green"):
            assert allowed(found, "deployments", verb, name)
            assert allowed(found, "services", verb, name)
        assert not allowed(found, "deployments", verb, "other")
        assert not allowed(found, "httproutes", verb, "other")
    assert allowed(found, "httproutes", "patch", "toy")


def test_what_is_new_may_be_made_and_nothing_else() -> None:
    found = rules("toy-rollout", BEFORE, LATER)
    assert allowed(found, "deployments", "create")
    assert allowed(found, "services", "create")
    assert not allowed(found, "httproutes", "create")
    assert not allowed(rules("toy-rollout", LATER, LATER), "deployments", "create")


def test_the_rollouts_own_state_may_be_written_and_not_made() -> None:
    found = rules("toy-rollout", BEFORE, LATER)
    for verb in ("get", "update", "patch"):
        assert allowed(found, "configmaps", verb, "toy-rollout")
        assert not allowed(found, "configmaps", verb, "other")
    assert allowed(found, "leases", "update", "toy-rollout")
    for resource in ("configmaps", "leases"):
        assert not allowed(found, resource, "create", "toy-rollout")
        assert not allowed(found, resource, "delete", "toy-rollout")


def test_helms_revisions_have_no_names_yet() -> None:
    found = rules("toy-rollout", [], [])
    for verb in ("list", "create", "update", "delete"):
        assert allowed(found, "secrets", verb)
    assert not allowed(found, "deployments", "delete", "toy-blue")
    assert allowed(found, "pods", "list")


def test_nobody_may_change_rights_or_run_commands() -> None:
    found = rules("toy-rollout", BEFORE, LATER)
    named = {resource for rule in found for resource in rule["resources"]}
    assert not named & {"*", "roles", "rolebindings", "pods/exec", "jobs"}
    assert not {"*", "bind", "escalate", "impersonate"} & {verb for rule in found for verb in rule["verbs"]}


def test_every_kind_of_the_chart_is_known() -> None:
    found = rules("r", [], [thing(kind, "a") for kind in KINDS])
    for _, resource in KINDS.values():
        assert allowed(found, resource, "create")
        assert allowed(found, resource, "delete", "a")


def test_what_the_end_takes_away_may_be_made_again_on_the_way_back() -> None:
    old = [{"kind": "Service", "metadata": {"name": "toy-blue"}}, {"kind": "Service", "metadata": {"name": "toy-green"}}]
    assert {"apiGroups": [""], "resources": ["services"], "verbs": ["create"]} in rules("toy-rollout", old, old[1:])
