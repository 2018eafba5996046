"""Models from a hub, at a pinned revision, or from a local copy of the same files."""

from __future__ import annotations

import logging
from pathlib import Path

from marline.errors import SourceError
from marline.spec.model import HubSource

FILES = ["config.json", "model.safetensors", "tokenizer.json"]


def fetch(source: HubSource, base: Path) -> Path:
    """The folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Args:
        source: repository, revision, and optionally the local copy.
        base: folder of the spec, to which ``local`` is relative.

    Raises:
        SourceError: when the hub cannot be reached or the local copy lacks a file; the sentence says
            how to supply one.
    """
    if source.local is not None:
        folder = base / source.local
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise SourceError(
                f"{folder}: has no {missing[0]}; a local copy of {source.repository} needs {', '.join(FILES)}"
            )
        return folder
    from huggingface_hub import snapshot_download

    # its retries are announced line by line; what matters is the end, which is said below
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(snapshot_download(source.repository, revision=source.revision, allow_patterns=FILES))
    # huggingface_hub raises its own, its HTTP client's and the system's errors, with no common base
    except Exception as error:
        raise SourceError(
            f"{source.repository}@{source.revision[:12]} cannot be fetched from the hub ({type(error).__name__}); put {', '.join(FILES)} "
            "of that revision into a folder and name it in the spec as `source.local`"
        ) from error
