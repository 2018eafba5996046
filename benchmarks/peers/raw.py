"""The reference: the same classifier in a bare loop, one text at a time, one pinned process per CPU.

``raw.py ARCHIVE TEXTS SECONDS NUMBER``: TEXTS is a JSON list; prints answers per second of this one process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from shared import slots
from shared.classifier import Classifier


def main(archive: str, texts: str, seconds: str, number: str) -> int:
    """Loop for so many seconds; the first two hundred answers are warm-up."""
    slots.pin(int(number))
    classifier, stream = Classifier(Path(archive)), json.loads(Path(texts).read_text(encoding="utf-8"))
    for text in stream[:200]:
        classifier.classify([text])
    print("warm", flush=True)
    sys.stdin.readline()
    started, count, end = time.perf_counter(), 0, time.perf_counter() + float(seconds)
    while time.perf_counter() < end:
        classifier.classify([stream[count % len(stream)]])
        count += 1
    print(count / (time.perf_counter() - started), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
