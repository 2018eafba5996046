"""A rollout that is decided by what became of its requests."""

from __future__ import annotations

import json
import random
import urllib.request
from pathlib import Path

from marline.rollout.replay.endpoint import REPLAYED
from pods.archives import Archive
from pods.gateway import Gateway
from pods.load import QUESTIONS
from pods.rollouts import Shipped
from pods.test_rollout import door, pytestmark, scraped, ship, slow

# fixtures, and what the other module runs on
__all__ = ["door", "pytestmark", "scraped", "ship"]

REQUESTS = 600
# what each version's answers are worth to those who asked, on average
WORTH = {"1.0.0": 0.3, "1.1.0": 0.7}


@slow
def test_the_version_that_is_better_for_people_is_promoted(
    ship: Shipped, door: Gateway, v1: Archive, v2: Archive, tmp_path: Path
) -> None:
    # half and half for as long as it takes
    waits = {"steps": [50, 100], "pause_s": 3600, "deadline_s": 7200, "metrics": ["agreement"]}
    ship.write({"stable": (v1, 0), "canary": (v2, 100)}, "canary", **waits)
    ship.verb("start")
    ship.release.cluster.until(lambda: ship.record()["weights"], "the first step", 120)
    chance, outcomes = random.Random(1), tmp_path / "outcomes.jsonl"
    with outcomes.open("w") as lines:
        for number in range(REQUESTS):
            body = json.dumps({"text": QUESTIONS[number % len(QUESTIONS)][0]}).encode()
            with urllib.request.urlopen(urllib.request.Request(f"{door.url}/predictions/sentiment", body)) as answer:
                version, request_id = json.load(answer)["model_version"], answer.headers["x-request-id"]
            value = int(chance.random() < WORTH[version])
            print(json.dumps({"request_id": request_id, "value": value}), file=lines)
    exposures = tmp_path / "exposures.jsonl"
    selector = ["-l", "app.kubernetes.io/component=server", "-c", "front", "--tail=-1"]

    def logged() -> bool:
        """Envoy writes its log every ten seconds."""
        exposures.write_text(ship.release.kubectl("logs", *selector))
        found = [json.loads(line) for line in exposures.read_text().splitlines() if line.startswith("{")]
        return sum(line["request_id"] != REPLAYED and line["status"] == 200 for line in found) >= REQUESTS

    ship.release.cluster.until(logged, "all requests in the log", 60, interval=2)
    files = ["--exposures", str(exposures), "--outcomes", str(outcomes)]
    done = ship.verb("ab", *files, "--margin", "0.02", "--order")
    print(f"\n{done.stdout}")
    assert "better: " in done.stdout
    assert ship.record()["outcome"] == "promoted"
    assert ship.weights() == {"stable": 0, "canary": 100}
