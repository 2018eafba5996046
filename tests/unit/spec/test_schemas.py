from __future__ import annotations

import json
from pathlib import Path

from marline.spec import schemas

CONFIG = Path(__file__).parents[3] / "config"


def test_the_committed_schemas_are_those_of_the_types():
    assert schemas.stale(CONFIG / "schemas") == []


def test_stale_names_missing_and_changed_files(tmp_path):
    assert sorted(schemas.stale(tmp_path / "none")) == sorted(schemas.schemas())
    first, second, *_ = schemas.write(tmp_path / "new")
    assert schemas.stale(tmp_path / "new") == []
    first.write_text(first.read_text() + " ")
    second.unlink()
    assert sorted(schemas.stale(tmp_path / "new")) == sorted([first.name, second.name])


def test_schemas_refuse_unknown_keys_and_describe_the_source_by_its_kind():
    schema = json.loads(schemas.schemas()["model-spec.schema.json"])
    assert schema["additionalProperties"] is False
    assert all(d.get("additionalProperties") is False for d in schema["$defs"].values())
    assert set(schema["properties"]["source"]["discriminator"]["mapping"]) == {"pypi", "hub", "file"}


def test_every_yaml_in_config_names_a_schema_that_exists():
    files = [*CONFIG.glob("*.yaml"), *CONFIG.glob("models/*.yaml")]
    assert files
    for path in files:
        first = path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        assert (path.parent / first.partition("$schema=")[2]).is_file(), path
