"""The report's two files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marline.bench.page import page


def write(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write ``report.json`` and ``report.html``; each appears whole.

    Args:
        report: see :func:`marline.bench.run.run`.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.json": json.dumps(report, indent=1) + "\n", "report.html": page(report)}
    out = []
    for name, text in texts.items():
        scratch = folder / f".{name}"
        scratch.write_text(text, encoding="utf-8")
        out.append(scratch.replace(folder / name))
    return out
