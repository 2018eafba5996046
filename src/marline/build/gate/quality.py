"""One variant's answers to the whole exam, from a process of its own: outputs, memory, load time.

    python -m marline.build.gate.quality DIRECTORY EXAM OUT

A fresh process per variant, because memory and load time are those of a worker that serves only it.
"""

from __future__ import annotations

import pickle
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from handlerkit import backends
from handlerkit import manifest as manifests

from marline.build.gate.exam import Exam, padded


@dataclass(frozen=True)
class Answers:
    """Outputs as (items, numbers): alone, among strangers, and on the test split."""

    gate: npt.NDArray[np.float64]
    batched: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]
    rss_bytes: int
    load_seconds: float


def answer(directory: Path, exam: Exam) -> Answers:
    """Load the artifact and answer.  ``rss_bytes`` is the process's peak after all single questions."""
    started = time.perf_counter()
    manifest = manifests.read(directory)
    backend = backends.load(manifest, directory, threads=1)
    backend.run(exam.gate[0])
    load_seconds = time.perf_counter() - started
    names = [t.name for t in manifest.outputs]

    def flat(inputs: dict[str, npt.NDArray[np.generic]]) -> npt.NDArray[np.float64]:
        outputs = backend.run(inputs)
        return np.concatenate([np.asarray(outputs[n], np.float64).reshape(-1) for n in names])

    gate = np.stack([flat(inputs) for inputs in exam.gate])
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    batched = gate.copy()
    for group in exam.strangers:
        batched[group] = np.asarray(backend.run(padded([exam.gate[i] for i in group]))[names[0]], np.float64)
    test = np.stack([flat(inputs) for inputs in exam.test]) if exam.test else gate[:0]
    return Answers(gate, batched, test, rss, load_seconds)


def main() -> int:
    """Read the exam, answer, write the answers; both files are this build's own scratch."""
    directory, exam, out = map(Path, sys.argv[1:4])
    with exam.open("rb") as file:
        questions = pickle.load(file)
    with out.open("wb") as file:
        pickle.dump(answer(directory, questions), file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
