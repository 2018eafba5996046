"""A batch of strangers, some of them poisoned."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marline.serve import serve
from server import tiny_archives as tiny
from server.asking import Reply, ask

BATCH = 16
POISON = {3: (b'{"text": ', 400), 7: (b'{"text": null}', 400), 12: (json.dumps({"text": "a" * 999}).encode(), 413)}

# each answer tells how many requests its batch had
COUNTED = b"""
_plain = TextClassification.handle


def _counted(self, data, context):
    bodies = _plain(self, data, context)
    for index in range(len(data)):
        context.set_response_header(index, "x-batch", str(len(data)))
    return bodies


TextClassification.handle = _counted
"""


def test_three_poisoned_of_sixteen_fail_alone(archives: dict[str, Path], tmp_path: Path) -> None:
    counted = tiny.rewritten(
        archives["fp32"], tmp_path / "counted.mar", {"text_classification.py": lambda code: code + COUNTED}
    )
    settings = tiny.SETTINGS.model_copy(update={"batch_size": BATCH, "max_batch_delay_ms": 1000})
    texts = [" ".join(tiny.WORDS[2 + (i % 5) :][: 1 + i % 4]) for i in range(BATCH)]
    bodies = [POISON[i][0] if i in POISON else json.dumps({"text": texts[i]}).encode() for i in range(BATCH)]
    together = threading.Barrier(BATCH)

    with serve([counted], settings, port=0) as server, ThreadPoolExecutor(BATCH) as pool:
        server.wait_ready()

        def one(index: int) -> Reply:
            together.wait()
            # with one model, /invocations needs no name
            return ask(server.port, "/invocations", bodies[index], "application/json")

        replies = list(pool.map(one, range(BATCH)))

    assert {reply.headers["x-batch"] for reply in replies} == {str(BATCH)}
    for index, reply in enumerate(replies):
        if index in POISON:
            assert (index, reply.status) == (index, POISON[index][1])
        else:
            assert (index, reply.status) == (index, 200)
            assert reply.json["scores"]["positive"] == pytest.approx(tiny.positive(texts[index]), abs=1e-5)
