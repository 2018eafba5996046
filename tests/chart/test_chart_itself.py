"""The chart's own suites, its lint, its schema and its documents."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chart_docs
import pytest
import yaml

from chart.rendering import CHART, SCENARIOS, Chart, Refused

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def test_every_template_has_a_suite_and_all_pass(helm_unittest: Path) -> None:
    templates = {
        path.stem.lower() for path in CHART.glob("templates/**/*") if path.is_file() and not path.name.startswith("_")
    }
    assert {path.stem.removesuffix("_test") for path in (CHART / "tests").glob("*_test.yaml")} == templates
    done = subprocess.run([helm_unittest, "--strict", CHART], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_lint_has_no_warning(chart: Chart, scenario: str) -> None:
    said = chart.run("lint", "--strict", CHART, "-f", SCENARIOS[scenario])
    assert "[WARNING]" not in said and "[ERROR]" not in said


def test_chart_cannot_be_installed_without_values(chart: Chart) -> None:
    with pytest.raises(Refused, match="`make image`"):
        chart.run("template", "sentiment", CHART)


def test_package_holds_neither_suites_nor_scenarios(chart: Chart, tmp_path: Path) -> None:
    chart.run("package", CHART, "--destination", tmp_path)
    held = subprocess.run(
        ["tar", "tzf", next(tmp_path.glob("*.tgz"))], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "marline/templates/tests/golden.yaml" in held
    assert not [name for name in held if name.startswith(("marline/ci/", "marline/tests/"))]


def maps(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that describes a map, with its place."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield place, schema
        for key, part in schema.items():
            yield from maps(part, f"{place}/{key}")
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from maps(part, f"{place}/{index}")


def test_schema_lets_no_unknown_key_in() -> None:
    open_maps = {place for place, part in maps(SCHEMA) if part.get("additionalProperties") is not False}
    # Helm's own, and free maps of texts (labels, annotations)
    assert open_maps == {"/properties/global", "/$defs/strings", "/$defs/labels"}


def test_schema_and_values_know_the_same_keys() -> None:
    def known(schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return dict(schema.get("properties", {}))

    of_variants = {row.path[2:] for row in chart_docs.rows(values()) if row.path[:2] == ("variants", "NAME")}
    of_defaults = {row.path[1:] for row in chart_docs.rows(values()) if row.path[0] == "defaults"}
    documented = {path[0] for path in of_variants | of_defaults if path}
    assert documented == set(known({"$ref": "#/$defs/variant"}))
    for name, schema in SCHEMA["properties"].items():
        if name not in ("global", "variants", "defaults"):
            assert {
                row.path[1] for row in chart_docs.rows(values()) if row.path[0] == name and len(row.path) > 1
            } == set(known(schema)), name


def values() -> str:
    """The chart's values.yaml."""
    return (CHART / "values.yaml").read_text(encoding="utf-8")


class TestDocuments:
    def test_table_is_the_one_of_the_values(self) -> None:
        assert chart_docs.main(["--check"]) == 0, "run `python tools/chart_docs.py`"

    def test_a_key_without_meaning_is_refused(self) -> None:
        with pytest.raises(SystemExit, match=r"values.yaml:5: a.c has no comment above it"):
            list(chart_docs.rows("# An a.\na:\n  # A b.\n  b: 1\n  c: 1\n"))

    def test_a_key_without_default_has_an_example(self) -> None:
        rows = list(chart_docs.rows("# An a.\na:\n  # A b, in\n  # two lines.\n  #b: 2\n"))
        assert rows[1] == chart_docs.Row(("a", "b"), "", "2", "A b, in two lines.")

    def test_stale_table_is_seen(self) -> None:
        readme = (CHART / "README.md").read_text(encoding="utf-8")
        assert chart_docs.written(readme, values().replace("queueSize: 100", "queueSize: 101")) != readme

    def test_least_values_of_the_readme_are_enough(self, chart: Chart) -> None:
        readme = (CHART / "README.md").read_text(encoding="utf-8")
        least, rule = (block.split("```")[0] for block in readme.split("```yaml\n")[1:])
        assert chart.objects(None, least).of("Deployment")
        assert yaml.safe_load(rule)["rules"]["custom"][0]["seriesQuery"].startswith("marline_pending_requests{")
