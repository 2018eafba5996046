"""The bare loop: tokenizer, padding and session in one process, as fast as one CPU goes.

``python -m marline.bench.raw_loop ARCHIVE QUESTIONS CPU`` reads one JSON line per order from standard input
(``{"seconds": 4, "batch": 8, "sorted": true, "start": 0}``), and answers each with one line of counts.
This is what serving is measured against, so it does nothing else: no HTTP, no JSON, no scores.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handlerkit import backends
from handlerkit import manifest as manifests
from handlerkit.text import Tokenizer
from marline.bench.questions import Question, read

# texts among which a sorted batch finds its like, in batches
WINDOW = 8


def main(arguments: list[str]) -> int:
    """Serve orders until standard input ends."""
    archive, path, cpu = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    os.sched_setaffinity(0, {cpu})
    manifest = manifests.read(archive)
    backend = backends.load(manifest, archive, 1)
    tokenizer = Tokenizer(archive / str(manifest.tokenizer), int(manifest.inference_parameters["max_length"]))
    asked = read(path)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), manifest.labels, backend, tokenizer, asked)), flush=True)
    return 0


def run(order: dict[str, Any], labels: Any, backend: Any, tokenizer: Tokenizer, asked: list[Question]) -> dict[str, Any]:
    """Answer batches until the time is over; ``wrong`` counts labels other than the expected ones."""
    right = wrong = padded = tokens = 0
    took: dict[str, list[float]] = {}
    cpu, began = time.process_time(), time.perf_counter()
    ends = began + float(order["seconds"])
    for batch in batches(asked, int(order["batch"]), bool(order["sorted"]), int(order["start"])):
        at = time.perf_counter()
        encoded = tokenizer.encode([q.text for q in batch])
        inputs = tokenizer.pad([e.ids for e in encoded])
        best = backend.run(inputs)["logits"].argmax(axis=1)
        if order.get("times"):
            took.setdefault(batch[0].text, []).append(time.perf_counter() - at)
        for question, index in zip(batch, best.tolist(), strict=True):
            if labels[index] == question.label:
                right += 1
            else:
                wrong += 1
        padded += int(np.prod(inputs["input_ids"].shape))
        tokens += sum(len(e.ids) for e in encoded)
        if time.perf_counter() >= ends:
            break
    return {
        "right": right,
        "wrong": wrong,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "padding": 1 - tokens / padded,
        "times": took,
    }


def batches(asked: list[Question], size: int, ordered: bool, start: int) -> Iterator[list[Question]]:
    """Batches without end: in order of arrival, or of like length among a window of them."""
    window = size * WINDOW if ordered else size
    at = start
    while True:
        found = [asked[(at + i) % len(asked)] for i in range(window)]
        at += window
        if ordered:
            found.sort(key=lambda q: q.tokens)
        for i in range(0, window, size):
            yield found[i : i + size]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
