from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from marline.errors import MarlineError
from marline.rollout.helm.charts import write_chart
from unit.rollout.helm_program import CHART


def test_a_chart_is_the_folder_that_it_was(tmp_path: Path) -> None:
    write_chart(CHART, tmp_path)
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert yaml.safe_load(files.pop("Chart.yaml")) == CHART["metadata"]
    assert json.loads(files.pop("values.yaml")) == CHART["values"]
    assert files == {
        "values.schema.json": b'{"type": "object"}',
        "templates/service.yaml": b"kind: Service\n",
        "docs/README.md": b"read me\n",
    }


def test_numbers_are_those_that_helm_has(tmp_path: Path) -> None:
    write_chart({**CHART, "values": {"large": 10**20, "share": 0.1, "text": "1.0", "none": None}}, tmp_path)
    assert yaml.safe_load((tmp_path / "values.yaml").read_text()) == {"large": 10**20, "share": 0.1, "text": "1.0", "none": None}


@pytest.mark.parametrize("left_out", ["values", "schema", "templates", "files"])
def test_what_a_chart_does_not_have_is_nothing(tmp_path: Path, left_out: str) -> None:
    write_chart({**CHART, left_out: None}, tmp_path)
    assert (tmp_path / "Chart.yaml").is_file()
    assert (tmp_path / "values.yaml").is_file()


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "templates/../../x"])
def test_no_file_lies_outside_of_the_chart(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    chart: dict[str, Any] = {**CHART, "files": [{"name": name, "data": base64.b64encode(b"x").decode()}]}
    with pytest.raises(MarlineError, match="is no path inside a chart; install the release again$"):
        write_chart(chart, inside)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and inside not in path.parents] == []


def test_charts_of_others_are_refused(tmp_path: Path) -> None:
    chart = {**CHART, "metadata": {**CHART["metadata"], "dependencies": [{"name": "redis"}]}}
    with pytest.raises(MarlineError, match="^chart marline 1.0.0: has dependencies, which Helm's record does not hold"):
        write_chart(chart, tmp_path)
