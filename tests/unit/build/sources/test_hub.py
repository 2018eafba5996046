from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marline.build.sources import hub
from marline.build.sources.hub import FILES
from marline.errors import SourceError
from marline.spec.model import HubSource

REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_offline_the_sentence_says_how_to_supply_a_local_copy(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from marline.build.sources import hub; from marline.spec.model import HubSource\n"
        f"from marline.errors import SourceError\nsource = HubSource(kind='hub', repository='a/b', revision='{REVISION}')\n"
        "try:\n    hub.fetch(source, Path())\nexcept SourceError as error:\n    print(error)"
    )
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert run.stdout.count("\n") == 1
    assert run.stdout.startswith("a/b@0123456789ab cannot be fetched from the hub (LocalEntryNotFoundError); ")
    assert "put config.json, model.safetensors, tokenizer.json of that revision into a folder" in run.stdout
    assert run.stdout.endswith("name it in the spec as `source.local`\n")


def _local(tmp_path: Path, *names: str) -> HubSource:
    (tmp_path / "copy").mkdir()
    for name in names:
        (tmp_path / "copy" / name).write_text("{}")
    return HubSource(kind="hub", repository="a/b", revision=REVISION, local="copy")


def test_a_local_copy_is_taken(tmp_path: Path):
    assert hub.fetch(_local(tmp_path, *FILES), tmp_path) == tmp_path / "copy"


@pytest.mark.parametrize("name", FILES)
def test_a_local_copy_that_lacks_a_file_names_it(name: str, tmp_path: Path):
    source = _local(tmp_path, *(f for f in FILES if f != name))
    with pytest.raises(SourceError, match=f"^{tmp_path / 'copy'}: has no {name}; a local copy of a/b needs config.json, "):
        hub.fetch(source, tmp_path)
