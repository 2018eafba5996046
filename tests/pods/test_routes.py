"""Requests through a real Gateway: shares as weighted, versions and endpoints by name, and no request lost to a change."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import aiohttp
import pytest

from cluster.api import Cluster
from cluster.errors import CommandError
from pods import chart
from pods.archives import Archive
from pods.chart import CLAIM, Release, ask
from pods.gateway import API, Gateway, gateway, not_wanted
from pods.load import QUESTIONS, under_load, wrong
from pods.test_updates import flawless, settle

pytestmark = pytest.mark.skipif(bool(not_wanted()), reason=str(not_wanted()))
RATE = 15.0
CLIENTS = 8
MODEL = "/predictions/sentiment"
HEADER = "x-marline-variant"
ROUTE = "sentiment-marline"
# settings of (stable, canary), and requests for each: 5,000 in all
SHARES = [(90, 10), (50, 50), (0, 100)]
REQUESTS = (1700, 1650, 1650)
PINNED = 1000


@pytest.fixture(scope="module")
def door(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(cluster, tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture(scope="module")
def routed(cluster: Cluster, image: str, folder: Path, v1: Archive, v2: Archive, door: Gateway) -> Iterator[Release]:
    variants = {"stable": {**v1.values(CLAIM), "weight": 100}, "canary": {**v2.values(CLAIM), "weight": 0}}
    routes = {"enabled": True, "parentRefs": [door.parent]}
    values = {"variants": variants, "primary": "stable", "routes": routes}
    with chart.release(cluster, image, folder, values) as release:
        release.upgrade()
        in_force(release, door, 100, 0)
        yield release


def weighted(release: Release, stable: int, canary: int, **of_canary: Any) -> dict[str, Any]:
    """The release's variants with other weights."""
    old = release.values["variants"]
    return {"stable": {**old["stable"], "weight": stable}, "canary": {**old["canary"], "weight": canary, **of_canary}}


def weigh(release: Release, door: Gateway, stable: int, canary: int) -> None:
    """Other weights, from the values to the gateway."""
    release.upgrade(variants=weighted(release, stable, canary))
    in_force(release, door, stable, canary)


def in_force(release: Release, door: Gateway, stable: int, canary: int) -> None:
    """Wait until the gateway shares ten requests out as weighted: it deals them in turn, and not by chance."""
    expected = Counter({"1.0.0": stable // 10, "1.1.0": canary // 10})
    release.cluster.until(lambda: ten(door) == +expected, f"weights {stable}/{canary} in force", 30)


def ten(door: Gateway) -> Counter[str]:
    """What answers ten requests on a path that nothing else asks: this gateway deals each path by itself."""
    found: Counter[str] = Counter()
    for number in range(10):
        text, _ = QUESTIONS[number % len(QUESTIONS)]
        status, answer = ask(f"{door.url}/invocations", {"text": text}, timeout=10)
        found[json.loads(answer)["model_version"] if status == 200 else str(status)] += 1
    return found


def answers(door: Gateway, count: int, path: str = MODEL, **headers: str) -> Counter[str]:
    """Versions of so many answers, each of which has to be right, or else what was wrong."""
    found: Counter[str] = Counter()

    async def client(session: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
        for number in numbers:
            text, label = QUESTIONS[number % len(QUESTIONS)]
            async with session.post(door.url + path, json={"text": text}, headers=headers) as response:
                answer = await response.read()
                found[wrong(response.status, answer, label) or json.loads(answer)["model_version"]] += 1

    async def clients() -> None:
        numbers = iter(range(count))
        limits = aiohttp.ClientTimeout(60)
        async with aiohttp.ClientSession(timeout=limits) as session:
            await asyncio.gather(*(client(session, numbers) for _ in range(CLIENTS)))

    asyncio.run(clients())
    return found


def within_chance(found: int, count: int, share: float) -> bool:
    """Whether a binomial number lies in its 99.9 % interval (normal approximation); a share of 0 or 1 is exact."""
    width = NormalDist().inv_cdf(0.9995) * (count * share * (1 - share)) ** 0.5
    return abs(found - count * share) <= width


def test_the_gateway_takes_the_route(routed: Release) -> None:
    route = routed.cluster.get("-n", routed.namespace, "httproute", ROUTE)
    (parent,) = route["status"]["parents"]
    assert {c["type"]: c["status"] for c in parent["conditions"]} == {"Accepted": "True", "ResolvedRefs": "True"}


@pytest.mark.parametrize(("shares", "count"), list(zip(SHARES, REQUESTS, strict=True)), ids=str)
def test_requests_are_shared_out_by_weight(routed: Release, door: Gateway, shares: tuple[int, int], count: int) -> None:
    weigh(routed, door, *shares)
    found = answers(door, count)
    print(f"\n{shares[0]}/{shares[1]}: {dict(found)}")
    assert set(found) <= {"1.0.0", "1.1.0"}
    assert sum(found.values()) == count
    assert within_chance(found["1.1.0"], count, shares[1] / 100)


def test_changes_of_weights_lose_nothing(routed: Release, door: Gateway) -> None:
    with under_load(door.url, RATE) as load:
        settle(load, 30)
        for shares in ((90, 10), (50, 50), (0, 100), (100, 0), (50, 50)):
            weigh(routed, door, *shares)
            settle(load, 30)
    flawless("weights changed five times", load)
    assert set(load.outcome.versions) == {"1.0.0", "1.1.0"}


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_a_version_is_answered_by_itself_alone(routed: Release, door: Gateway, version: str) -> None:
    weigh(routed, door, 50, 50)
    assert answers(door, PINNED, f"{MODEL}/{version}") == {version: PINNED}
    variant = routed.values["variants"]["stable"]["variant"]
    assert answers(door, 50, f"{MODEL}/{version}-{variant}") == {version: 50}


@pytest.mark.parametrize(("endpoint", "version"), [("stable", "1.0.0"), ("canary", "1.1.0")])
def test_an_endpoint_is_asked_by_its_name_whatever_its_weight(
    routed: Release, door: Gateway, endpoint: str, version: str
) -> None:
    weigh(routed, door, 100, 0)
    for path in (MODEL, "/invocations"):
        assert answers(door, 50, path, **{HEADER: endpoint}) == {version: 50}
        assert answers(door, 50, f"/variants/{endpoint}{path}") == {version: 50}
    assert answers(door, 50, f"/invocations/sentiment/{endpoint}") == {version: 50}
    assert answers(door, 50, MODEL, **{HEADER: "gold"}) == {"1.0.0": 50}


@pytest.mark.parametrize("path", ["/models", "/ping", "/variants/gold/predictions/sentiment", f"{MODEL}/9.9.9", "/"])
def test_nothing_else_passes(routed: Release, door: Gateway, path: str) -> None:
    assert ask(door.url + path)[0] == 404


def test_weight_goes_before_the_pods(routed: Release, door: Gateway) -> None:
    weigh(routed, door, 50, 50)
    with under_load(door.url, RATE) as load:
        for stable, canary in ((50, 50), (100, 0)):
            assert re.search(
                r"variants\.canary\.replicas is 0.* weight 50.* 503",
                refused(routed, weighted(routed, stable, canary, replicas=0)),
            )
        weigh(routed, door, 100, 0)
        without_canary(routed)
        settle(load, 30)
    flawless("weight 0, then no pods", load)


def refused(release: Release, variants: dict[str, Any]) -> str:
    """What Helm says to an upgrade that must not be; the release's values stay what they were."""
    values = release.values
    try:
        with pytest.raises(CommandError) as caught:
            release.upgrade(variants=variants)
    finally:
        release.values = values
    return caught.value.output


def without_canary(release: Release) -> None:
    """No pods, and no weight."""
    release.upgrade(variants=weighted(release, 100, 0, replicas=0))
    release.cluster.until(lambda: len(release.pods(running=False)) == 1, "the end of the canary's pod", 120)


def test_a_share_without_pods_is_answered_503(routed: Release, door: Gateway) -> None:
    """Why weight goes first: what the chart refuses, done by hand."""
    without_canary(routed)
    rules = routed.cluster.get("-n", routed.namespace, f"httproutes.{API}", ROUTE)["spec"]["rules"]
    place = f"/spec/rules/{len(rules) - 1}/backendRefs"
    change = [{"op": "replace", "path": f"{place}/{index}/weight", "value": 50} for index in (0, 1)]
    routed.kubectl("patch", f"httproutes.{API}", ROUTE, "--type=json", f"--patch={json.dumps(change)}")
    routed.cluster.until(lambda: ten(door) == {"1.0.0": 5, "503": 5}, "a share of 503", 30)
