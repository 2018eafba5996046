"""Every fenced block of README and docs does what it says."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.blocks import EXECUTED, ROOT, Block, blocks, documents
from marline.errors import SpecError
from marline.serve import TorchServer
from marline.spec import load_model_spec
from marline.spec.model import ModelSpec

ALL = [block for path in documents() for block in blocks(path)]
SECONDS, SLOW_SECONDS = 180, 900


def of(*languages: str, tag: str | None = None) -> list[Any]:
    wanted = [b for b in ALL if b.language in languages]
    own = {"server", "serves", "make", "cluster", "answer", "refusal"}
    chosen = [b for b in wanted if (tag in b.tags if tag else not own & set(b.tags))]
    return [pytest.param(block, id=block.name) for block in chosen]


def run(block: Block, directory: Path, environment: dict[str, str], text: str | None = None) -> str:
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-W", "ignore", "-c"]
    limit = SLOW_SECONDS if "slow" in block.tags else SECONDS
    done = subprocess.run(
        [*command, text or block.text], cwd=directory, env=environment, capture_output=True, text=True, timeout=limit, check=False
    )
    assert done.returncode == 0, f"{block.name} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def prepared(scratch: Callable[[Path], Path], supply: Any, environment: dict[str, str]) -> Callable[[Block], Path]:
    def prepare(block: Block) -> Path:
        if need := block.tags.get("needs"):
            supply(need, block.path, lambda other, target: run(other, target, environment))
        return scratch(block.path)

    return prepare


@pytest.mark.parametrize("block", of("bash", "python"))
def test_runs(block: Block, prepared: Callable[[Block], Path], environment: dict[str, str]) -> None:
    run(block, prepared(block), environment)


@pytest.mark.parametrize("block", of("bash", tag="server"))
def test_is_answered(
    block: Block, server: TorchServer, prepared: Callable[[Block], Path], environment: dict[str, str]
) -> None:
    directory = prepared(block)
    assert "127.0.0.1:8080" in block.text
    answered = run(block, directory, environment, block.text.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}"))
    documents_found = _documents(answered)
    assert len(documents_found) == len(re.findall(r"^(?:curl|marline ask)\b", block.text, re.MULTILINE))
    for document in documents_found:
        for answer in _answers(document):
            assert answer["label"] in ("negative", "positive")


def _documents(text: str) -> list[Any]:
    """JSON documents that follow each other without a separator, as several curls print them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        found.append(document)
    return found


def _answers(document: Any) -> list[dict[str, Any]]:
    if isinstance(document, dict):
        document = document.get("predictions", [document])
    assert document
    return list(document)


@pytest.mark.parametrize("block", of("bash", tag="serves"))
def test_becomes_ready_and_stops(block: Block, prepared: Callable[[Block], Path], environment: dict[str, str]) -> None:
    directory = prepared(block)
    if "scorer" in block.text:
        assert (directory / "model_store" / "scorer").is_dir(), "the blocks above build it"
    command = re.sub(r"^(marline serve .*)$", r"exec \1 --port 0", block.text, flags=re.MULTILINE)
    assert command != block.text
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", command], cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            said = _said(process, "ready: http://127.0.0.1:", SECONDS)
            assert "ready: http://127.0.0.1:" in said, said
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=60)
            assert process.returncode == 0, said + rest.decode()
        finally:
            process.kill()


def _said(process: subprocess.Popen[bytes], wanted: str, seconds: float) -> str:
    """What the process wrote to standard error until ``wanted`` was in it, or until it ended."""
    assert process.stderr is not None
    descriptor, said, deadline = process.stderr.fileno(), b"", time.monotonic() + seconds
    while wanted.encode() not in said and (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            if not (part := os.read(descriptor, 65536)):
                break
            said += part
    return said.decode()


def _ask(server: TorchServer, body: bytes) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"{server.url}/predictions/sentiment", body, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("block", of("json", tag="answer"))
def test_has_the_keys_and_types_of_a_real_answer(block: Block, server: TorchServer) -> None:
    status, found = _ask(server, b"Wonderful.")
    assert status == 200
    assert _shape(json.loads(block.text)) == _shape(found)


def _shape(value: Any) -> Any:
    return {key: _shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value)


@pytest.mark.parametrize("block", of("json", tag="refusal"))
def test_is_what_an_empty_text_gets(block: Block, server: TorchServer) -> None:
    status, found = _ask(server, b'{"text": ""}')
    assert found == json.loads(block.text)
    assert status == found["code"]


@pytest.mark.parametrize("block", of("json") + of("json", tag="answer") + of("json", tag="refusal"))
def test_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("yaml"))
def test_is_a_spec_or_part_of_one(block: Block, tmp_path: Path) -> None:
    document = yaml.safe_load(block.text)
    assert isinstance(document, dict)
    assert set(document) <= set(ModelSpec.model_fields), "not part of a spec; a block that is none needs another language"
    path = tmp_path / "models" / "part.yaml"
    path.parent.mkdir()
    if {"name", "version", "task"} <= set(document):
        path.write_text(block.text, encoding="utf-8")
    else:
        # a part that changes the source is shown for a model with weights of its own
        base = ROOT / "config" / "models" / ("distilbert-sst2.yaml" if "source" in document else "sentiment.yaml")
        whole = yaml.safe_load(base.read_text(encoding="utf-8")) | document
        path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    try:
        load_model_spec(path, untrained=True)
    except SpecError as error:
        # files that an example names are the reader's
        assert [p for p in error.problems if "does not exist" not in p] == []


@pytest.mark.parametrize("block", of("bash", tag="make"))
def test_names_verbs_of_the_makefile(block: Block) -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in block.text.splitlines():
        match = re.fullmatch(r"make ([a-z-]+)( [A-Z]+=\S+)*", line)
        assert match, f"{line!r} is no single make verb: run it without the tag"
        assert match[1] in verbs


def test_only_the_readme_has_blocks_for_a_cluster() -> None:
    """tests/pods/test_readme.py runs those, and looks nowhere else."""
    assert [block.values[0].path.name for block in of("bash", tag="cluster")] == ["README.md"]


def test_every_block_is_tested_by_exactly_one_of_the_above() -> None:
    groups = [of(*EXECUTED)]
    groups += [of("bash", tag=tag) for tag in ("server", "serves", "make", "cluster")]
    groups += [of("json", tag=tag) for tag in ("answer", "refusal")]
    tested = [param.values[0].name for group in groups for param in group]
    assert sorted(tested) == sorted(b.name for b in ALL if b.language in EXECUTED)
    assert len(tested) > 15
