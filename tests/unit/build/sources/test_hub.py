from __future__ import annotations

from pathlib import Path

import pytest

from marline.build.sources import hub
from marline.build.sources.hub import FILES
from marline.errors import SourceError
from marline.spec.model import HubSource

REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_offline_the_sentence_says_how_to_supply_a_local_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # what HF_HUB_OFFLINE=1 sets when the library is imported
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError) as caught:
        hub.fetch(HubSource(kind="hub", repository="a/b", revision=REVISION), tmp_path)
    assert str(caught.value) == (
        "a/b@0123456789ab cannot be fetched from the hub (LocalEntryNotFoundError); put config.json, model.safetensors, "
        "tokenizer.json of that revision into a folder and name it in the spec as `source.local`"
    )


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
