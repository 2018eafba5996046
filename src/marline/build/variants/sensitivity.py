"""Which products of a graph lose most by quantization: each left in fp32 in turn, outputs compared.

Measured once by ``marline train`` on the calibration split; the names chosen are a committed input of
the build, because another CPU may measure other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from marline.build.gate.compare import compare
from marline.build.gate.exam import Inputs

MIN_GAIN_DB = 0.5
MOST_KEPT = 2
DECIMALS = 2


def outputs_of(graph: Path, rows: Sequence[Inputs]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The graph's first output for each row alone, one thread, as (rows, numbers)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return np.stack([np.asarray(session.run(None, dict(row))[0][0], np.float64) for row in rows])


def choose(
    names: Sequence[str], reference: Path, quantize: Callable[[list[str]], Path], rows: Sequence[Inputs], task: str
) -> dict[str, Any]:
    """Leave single products in fp32 and keep the ones that help most.

    Args:
        names: candidates.
        reference: the fp32 graph.
        quantize: makes the quantized graph without the names given.
        rows: calibration inputs.
        task: see :func:`marline.build.gate.compare.compare`.

    Returns:
        ``keep_fp32``: at most ``MOST_KEPT`` names whose absence raises the SQNR by ``MIN_GAIN_DB`` dB
        or more, best first; ``sqnr_db``: of everything quantized, and of each choice alone.
    """
    wanted = outputs_of(reference, rows)

    def sqnr(kept: list[str]) -> float:
        return round(compare(wanted, outputs_of(quantize(kept), rows), task, 1.0).sqnr_db, DECIMALS)

    return best_kept(names, sqnr)


def best_kept(names: Sequence[str], sqnr: Callable[[list[str]], float]) -> dict[str, Any]:
    """What :func:`choose` returns, for any engine: ``sqnr`` measures with the names given left in fp32, in dB."""
    base = sqnr([])
    gains = {name: sqnr([name]) for name in names}
    best = sorted((n for n in names if gains[n] >= base + MIN_GAIN_DB), key=lambda n: (-gains[n], n))[:MOST_KEPT]
    return {"keep_fp32": best, "sqnr_db": {"everything quantized": base, "keeping": {n: gains[n] for n in best}}}
