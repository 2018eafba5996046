from __future__ import annotations

import pytest

from marline.errors import MarlineError
from marline.rollout.canary.golden import host, manifest_of, wrong
from unit.rollout.canary.world import World

PODS = {"green-0": "127.0.0.2"}


def test_the_agent_gives_the_archives_manifest(small: World) -> None:
    found = manifest_of("127.0.0.2", small.port)
    assert (found.model, found.version, len(found.golden)) == ("toy", "1.1.0", 1)


def test_pods_that_answer_as_recorded(small: World) -> None:
    assert wrong({**PODS, "blue-0": "127.0.0.1"}, small.port, small.port) is None
    assert wrong({}, small.port, small.port) is None


def test_the_first_pod_that_does_not_is_named(small: World) -> None:
    small.wrong.add("green")
    found = wrong({"blue-0": "127.0.0.1", **PODS, "green-1": "127.0.0.2"}, small.port, small.port)
    assert found is not None
    assert found.startswith("green-0 answers 1 of 1 golden requests wrongly, the first: ")
    assert "\n" not in found


def test_an_agent_that_cannot_be_asked_is_no_wrong_answer() -> None:
    with pytest.raises(MarlineError, match=r"^http://127.0.0.1:1/manifest: gives no manifest \(.*\); the rollout must be allowed"):
        wrong({"a": "127.0.0.1"}, 1, 1)


def test_an_agent_that_is_older_is_said(small: World) -> None:
    port = int(small.prometheus.rpartition(":")[2])
    with pytest.raises(MarlineError, match="of this version of marline or a later one$"):
        manifest_of("127.0.0.1", port)


def test_an_address_is_written_as_urls_have_it() -> None:
    assert (host("10.0.0.1"), host("fd00::1")) == ("10.0.0.1", "[fd00::1]")
