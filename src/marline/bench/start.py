"""How long a start takes: a server to its first right answer, against a bare JVM and a bare session."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marline.bench.contenders import Contender
from marline.bench.questions import Question
from marline.bench.raw import Raw
from marline.errors import BenchError
from marline.serve.torchserve.java import find_java


@dataclass(frozen=True)
class Start:
    """Seconds of one round.

    Attributes:
        served: from the start of the server to its first right answer.
        java: a JVM that prints its version.
        session: a process that imports the runtime and loads tokenizer and session.
    """

    served: float
    java: float
    session: float

    @property
    def ratio(self) -> float:
        """Of the served start to the two bare ones after each other."""
        return self.served / (self.java + self.session)


def start(contender: Contender, archive: Path, asked: Path, question: Question) -> Start:
    """One round.

    Args:
        contender: a server, not started.
        archive: directory of the unpacked archive.
        asked: file of questions.
        question: the first one.
    """
    java = _seconds(lambda: subprocess.run([str(find_java()), "-XX:+UseSerialGC", "-version"], capture_output=True, check=True))

    def session() -> None:
        with Raw(archive, asked, [min(os.sched_getaffinity(0))]):
            pass

    bare = _seconds(session)
    began = time.perf_counter()
    with contender.start() as up:
        _ask(up.url + contender.path, contender, question)
        served = time.perf_counter() - began
    return Start(served, java, bare)


def _ask(url: str, contender: Contender, question: Question) -> None:
    body = contender.body.replace("{text}", json.dumps(question.text)).encode()
    try:
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError) as error:
        raise BenchError(f"{url}: says ready and does not answer ({error})") from error
    if f'"{question.label}"' not in text:
        raise BenchError(f"{url}: the first answer is wrong: {text[:200]}")


def _seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
