"""What each peer says of itself: peer.yaml, lock and tuning."""

from __future__ import annotations

import json
import re

import pytest

from unit.benchmarks.peers import NAMES, PEERS, described, module

KEYS = {"title", "packages", "command", "ready", "predict", "batching", "tuning"}
ANSWERS = {
    "compact": '{"label":"positive","confidence":0.99,"scores":{"negative":0.01,"positive":0.99}}',
    "spaced": '[{"label": "positive", "confidence": 0.99, "scores": {"negative": 0.01, "positive": 0.99}}]',
    "v2": '{"outputs":[{"name":"label","shape":[1,1],"datatype":"BYTES","data":["positive"]},'
    '{"name":"scores","shape":[1,2],"datatype":"FP64","data":[0.01,0.99]}]}',
}
FORM = {"mlserver": "v2", "bentoml": "spaced"}
# the smallest wait, 2 ms and 5 ms; BentoML has an age limit instead
WAITS = {"bentoml": [1000, 10000, 60000]}


def pinned(name: str) -> dict[str, list[str]]:
    """Package to its hashes, as the lock has it."""
    out: dict[str, list[str]] = {}
    package = ""
    for line in (PEERS / name / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if found := re.fullmatch(r"([a-z0-9_.-]+)(?:\[[a-z0-9,_-]+\])?==(\S+)(?: ;.*)? \\", line):
            package = found[1]
            out[package] = []
        elif found := re.fullmatch(r"    --hash=sha256:([0-9a-f]{64})(?: \\)?", line):
            out[package].append(found[1])
        else:
            raise AssertionError(f"{name}: {line!r} is neither a pinned package nor a hash")
    return out


def test_every_folder_with_a_server_is_a_peer():
    assert tuple(sorted(p.parent.name for p in PEERS.glob("*/server.py"))) == NAMES
    assert tuple(module("environment.py").names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_peer_yaml_has_what_the_driver_reads(name):
    peer = described(name)
    assert KEYS <= set(peer) <= KEYS | {"explained"}
    assert peer["command"] == ["python", "server.py"]
    assert (PEERS / name / "server.py").is_file()
    assert peer["ready"]["path"].startswith("/")
    assert peer["ready"]["status"] == 200
    assert set(peer["predict"]) == {"path", "body", "label"}
    assert peer["predict"]["body"].count("{text}") == 1
    assert peer["predict"]["label"].count("{label}") == 1
    assert len(peer["batching"]) > 20
    assert all(isinstance(value, str) for options in peer["tuning"]["options"] for value in options.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_request_is_json_whatever_the_text(name):
    text = 'He said "no" \\ and left\u2028 {text} naïve\n'
    body = module("shared/answers.py").body(described(name)["predict"]["body"], text)
    assert text in json.dumps(json.loads(body), ensure_ascii=False).encode().decode("unicode_escape", "ignore") or (
        json.dumps(text, ensure_ascii=False) in body
    )
    assert "\n" not in body


@pytest.mark.parametrize("name", NAMES)
def test_the_label_pattern_finds_the_label_and_no_other(name):
    answers, pattern = module("shared/answers.py"), described(name)["predict"]["label"]
    answer = ANSWERS[FORM.get(name, "compact")]
    assert answers.regex(pattern, "positive").search(answer)
    assert not answers.regex(pattern, "negative").search(answer)


def test_a_pattern_means_the_same_in_lua():
    answers = module("shared/answers.py")
    assert answers.lua('"data": *[ *"{label}"', "positive") == '%"data%"%: *%[ *%"positive%"'
    assert answers.lua('"label": *"{label}"', "a-b") == '%"label%"%: *%"a%-b%"'


@pytest.mark.parametrize("name", NAMES)
def test_the_lock_has_a_hash_for_every_package_and_no_url(name):
    text = (PEERS / name / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    assert text.startswith("# requirements.in: written by benchmarks/peers/lock.py, do not edit\n")
    packages = pinned(name)
    assert [package for package, hashes in packages.items() if not hashes] == []
    wanted = [re.split(r"[\[<>=]", line)[0].strip() for line in _lines(name)]
    assert set(wanted) <= set(packages)
    assert set(described(name)["packages"]) <= set(packages)


def _lines(name: str) -> list[str]:
    lines = (PEERS / name / "requirements.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_peer_computes_with_the_same_packages_and_none_with_torch():
    same = [line for line in _lines("fastapi") if line.startswith(("numpy", "onnxruntime", "tokenizers"))]
    assert len(same) == 3
    for name in NAMES:
        assert [line for line in _lines(name) if line in same] == same
        assert not {"torch", "torchvision"} & set(pinned(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_peer_was_tuned_on_the_same_grid_and_answered_rightly(name):
    tuning = json.loads((PEERS / name / "tuning.json").read_text(encoding="utf-8"))
    assert tuning["command"] == f"python benchmarks/peers/tune_peer.py {name}"
    if not all("grid" in found for found in tuning["classes"].values()):
        pytest.skip(f"peer {name} is not tuned yet: run `python benchmarks/peers/tune_peer.py {name}`")
    peer = described(name)
    waits = peer["tuning"].get("waits_ms", [0, 2, 5])
    assert waits == WAITS.get(name, [0, 2, 5])
    grid = {(1, waits[0])} | {(batch, wait) for batch in (4, 8, 16) for wait in waits}
    for found in tuning["classes"].values():
        first = peer["tuning"]["options"][0]
        assert {(r["batch"], r["wait_ms"]) for r in found["grid"] if r["options"] == first} == grid
        assert [r for r in found["finalists"] if r["wrong"] or r["broken"]] == []
        assert found["best"] in [{key: r[key] for key in ("batch", "wait_ms", "options")} for r in found["finalists"]]
        assert found["served_to_raw"] >= 0.75 or peer.get("explained")
