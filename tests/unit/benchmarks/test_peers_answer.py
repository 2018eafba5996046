"""Each peer in its own environment, started and asked real texts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from unit.benchmarks.peers import NAMES, PEERS, module

pytestmark = pytest.mark.skipif(
    os.environ.get("MARLINE_TEST_SLOW") != "1",
    reason="MARLINE_TEST_SLOW is not 1: five environments of 1.5 GB together are started one after the other",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_answers_what_the_model_answers_alone(name):
    environment = module("environment.py")
    if not (environment.folder(name) / environment.STAMP).is_file():
        pytest.skip(f"peer {name} is not installed: run `python benchmarks/peers/environment.py {name}`")
    if not module("sample.py").mar().is_file():
        pytest.skip("the sentiment model is not built: run `make build`")
    command = [sys.executable, str(PEERS / "check_peer.py"), name, "--texts", "20"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout) == {"peer": name, "compared": 28, "wrong": []}
