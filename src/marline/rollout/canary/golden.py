"""The golden requests of an endpoint, asked at each of its pods through its front."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from handlerkit import manifest as manifests
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest
from marline.errors import MarlineError
from marline.rollout.replay import Endpoint
from marline.rollout.replay.endpoint import REPLAYED
from marline.rollout.replay.judge import against_records
from marline.rollout.replay.sources import golden

AGENT_PORT, FRONT_PORT = 8083, 8080
SECONDS = 10.0
ANSWER_S = 10.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def manifest_of(address: str, port: int = AGENT_PORT) -> Manifest:
    """The manifest of the archive that a pod serves, from its agent.

    Raises:
        MarlineError: when the agent does not give it.
    """
    url = f"http://{host(address)}:{port}/manifest"
    try:
        with _OPENER.open(url, timeout=SECONDS) as response:
            return manifests.loads(response.read())
    except (OSError, LoadError) as error:
        raise MarlineError(
            f"{url}: gives no manifest ({getattr(error, 'reason', None) or error}); the rollout must be allowed to "
            "connect to the agents (networkPolicy.agentFrom), of this version of marline or a later one"
        ) from error


def wrong(pods: Mapping[str, str], port: int = FRONT_PORT, agent_port: int = AGENT_PORT) -> str | None:
    """What is wrong with the answers of an endpoint's pods.

    Args:
        pods: name to address.
        port: of the front.
        agent_port: of the agent.

    Returns:
        One phrase about the first pod that does not answer as recorded; None where all do.

    Raises:
        MarlineError: when a pod cannot be asked at all.
    """
    for name, address in pods.items():
        questions = golden(manifest_of(address, agent_port))
        url = f"http://{host(address)}:{port}/predictions/{questions.model}"
        outcome = against_records(Endpoint(url, {"x-request-id": REPLAYED}, ANSWER_S), questions, None, 1)
        if bad := [*outcome.failed, *outcome.differing]:
            return f"{name} answers {len(bad)} of {outcome.asked} golden requests wrongly, the first: {bad[0].reason}"
    return None


def host(address: str) -> str:
    """An IP address as URLs have it."""
    return f"[{address}]" if ":" in address else address
