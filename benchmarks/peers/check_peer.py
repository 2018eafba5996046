"""Start one peer and compare its answers with the model asked alone: golden requests and real texts.

``python benchmarks/peers/check_peer.py NAME [--mar FILE] [--texts N]`` in the project's environment.  The texts are
asked by 16 clients at a time, so that the peer batches them.  Prints one line of JSON; exit code 1 for a wrong label.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sample
from environment import PeerError
from running import Running
from shared import answers

CLIENTS = 16


def golden(archive: Path) -> list[tuple[str, str]]:
    """Text and label of the archive's golden requests."""
    manifest = json.loads((archive / "manifest.json").read_text(encoding="utf-8"))
    return [(entry["request"]["text"], entry["label"]) for entry in manifest["golden"]]


def check(name: str, archive: Path, count: int) -> tuple[int, list[str]]:
    """How many answers were compared, and a sentence for each wrong one."""
    texts = sample.texts(count)
    right = golden(archive) + [
        (text, answer["label"]) for text, answer in zip(texts, sample.alone(archive, texts), strict=True)
    ]
    with Running(name, archive, sample.free_port()) as peer, ThreadPoolExecutor(CLIENTS) as clients:
        found = list(clients.map(peer.ask, [text for text, _ in right]))
        pattern = peer.peer["predict"]["label"]
    wrong = [
        f"{text[:60]!r}: expected {label}, found {body[:200]}"
        for (text, label), body in zip(right, found, strict=True)
        if not answers.regex(pattern, label).search(body)
    ]
    return len(right), wrong


def main(arguments: Sequence[str]) -> int:
    """Check the named peer; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--mar", type=Path)
    parser.add_argument("--texts", type=int, default=300)
    options = parser.parse_args(arguments)
    try:
        with sample.unpacked(options.mar) as archive:
            count, wrong = check(options.name, archive, options.texts)
    except (PeerError, OSError) as error:
        print(f"check_peer: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"peer": options.name, "compared": count, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
