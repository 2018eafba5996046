"""The chart inside a revision, written as the folder that Helm takes: a rollout never changes the chart's version."""

from __future__ import annotations

import base64
import json
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from marline.errors import MarlineError


def write_chart(chart: dict[str, Any], folder: Path) -> None:
    """Write a chart.

    Args:
        chart: Helm's record of it, see :class:`~marline.rollout.helm.releases.Revision`.
        folder: an empty one.

    Raises:
        MarlineError: for a record whose files would lie outside of the folder, or that has charts of others in it.
    """
    metadata = chart["metadata"]
    if metadata.get("dependencies"):
        raise MarlineError(
            f"chart {metadata['name']} {metadata['version']}: has dependencies, which Helm's record does not hold; "
            "roll out releases of marline's own chart"
        )
    # JSON is YAML; of numbers it keeps what Helm has
    (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")
    (folder / "values.yaml").write_text(json.dumps(chart.get("values") or {}), encoding="utf-8")
    if chart.get("schema"):
        (folder / "values.schema.json").write_bytes(base64.b64decode(chart["schema"]))
    for file in [*(chart.get("templates") or []), *(chart.get("files") or [])]:
        path = PurePosixPath(file["name"])
        if path.is_absolute() or ".." in path.parts:
            raise MarlineError(f"chart {metadata['name']}: {path} is no path inside a chart; install the release again")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(file.get("data") or ""))
