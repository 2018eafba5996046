"""One variant's answers to the whole exam, from a process of its own: outputs, memory, load time.

    python -m marline.build.gate.quality DIRECTORY EXAM OUT.npz

A fresh process per variant, because memory and load time are those of a worker that serves only it.
"""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handlerkit import backends
from handlerkit import manifest as manifests
from marline.build.gate.exam import Exam, Inputs, padded
from marline.errors import BuildError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Outputs as (items, numbers), short rows filled up with zeros.

    ``gate`` and ``test`` hold the answers to each item alone, ``batched`` those of each of the exam's rounds,
    (rounds, items, numbers).
    ``rss_bytes`` is the process's peak resident memory after loading and all single questions;
    ``load_seconds`` runs from the first line that loads to the first answer, engine import included.
    """

    gate: Array
    batched: Array
    test: Array
    rss_bytes: int
    load_seconds: float


def examine(directory: Path, exam: Path, out: Path) -> Answers:
    """Answer the exam in a process of its own.

    Raises:
        BuildError: when the artifact cannot be loaded, fails on a question or gives an answer that is
            not finite, with the reason.
    """
    command = [sys.executable, "-W", "ignore", "-m", "marline.build.gate.quality", str(directory), str(exam), str(out)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        last = [line for line in result.stderr.strip().splitlines() if line.strip()] or [
            f"exit code {result.returncode}"
        ]
        raise BuildError(f"{directory.name}: cannot answer the gate's questions: {last[-1]}")
    with np.load(out) as found:
        for name in ("gate", "batched", "test"):
            rows = found[name].reshape(-1, found[name].shape[-1])
            if wrong := int(np.sum(~np.isfinite(rows).all(axis=1))):
                raise BuildError(
                    f"{directory.name}: {wrong} of {len(rows)} answers of the {name} run are not finite; "
                    "remove the variant from the spec, or correct the weights"
                )
        return Answers(found["gate"], found["batched"], found["test"], int(found["rss"]), float(found["load"]))


def answer(directory: Path, exam: Exam) -> Answers:
    """Load the artifact and answer, in this process."""
    started = time.perf_counter()
    manifest = manifests.read(directory)
    backend = backends.load(manifest, directory, threads=1)
    names = [t.name for t in manifest.outputs]

    def flat(inputs: Inputs) -> Array:
        outputs = backend.run(inputs)
        return np.concatenate([np.asarray(outputs[n], np.float64).reshape(-1) for n in names])

    first = flat(exam.gate[0])
    load_seconds = time.perf_counter() - started
    gate = _stacked([first, *(flat(inputs) for inputs in exam.gate[1:])])
    rss = peak_rss()
    batched = np.repeat(gate[None], len(exam.rounds), axis=0)
    for answers, groups in zip(batched, exam.rounds, strict=True):
        for group in groups:
            answers[group] = np.asarray(backend.run(padded([exam.gate[i] for i in group]))[names[0]], np.float64)
    test = _stacked([flat(inputs) for inputs in exam.test]) if exam.test else gate[:0]
    return Answers(gate, batched, test, rss, load_seconds)


def _stacked(rows: list[Array]) -> Array:
    """Rows of a tensor model may have any number of outputs: zeros, equal in every variant, fill them up."""
    width = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


def peak_rss() -> int:
    """Peak resident memory in bytes.  Not getrusage: its peak survives exec, so a child shows its parent's."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def main() -> int:
    """Read the exam, answer, write the answers; both files are the build's own scratch."""
    directory, exam, out = map(Path, sys.argv[1:4])
    with exam.open("rb") as file:
        questions = pickle.load(file)
    found = answer(directory, questions)
    np.savez(out, gate=found.gate, batched=found.batched, test=found.test, rss=found.rss_bytes, load=found.load_seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
