"""Files that are given by name or by path."""

from __future__ import annotations

import difflib
from pathlib import Path

from marline.errors import SpecError


def resolve(name: str | Path, folder: Path, kind: str) -> Path:
    """``NAME``, which is ``folder/NAME.yaml``, or a path to a YAML file, as a path.

    Args:
        name: as a person typed it.
        folder: where files of this kind are.
        kind: what the file is, in one word.

    Raises:
        SpecError: when there is no such file, listing those there are.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in str(name):
        if is_file(path):
            return path
        raise SpecError([f"{path}: no such file; give a {kind} file, or the name of one in {folder}"])
    candidate = folder / f"{name}.yaml"
    if is_file(candidate):
        return candidate
    known = sorted(p.stem for p in folder.glob("*.yaml"))
    close = difflib.get_close_matches(str(name), known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise SpecError(
        [f"{candidate}: no such {kind}; {hint}allowed: {', '.join(known) or 'none here, run it from the project'}"]
    )


def is_file(path: Path, *, or_folder: bool = False) -> bool:
    """Whether it is there; False also for a name that the file system cannot have: too long, or with a NUL."""
    try:
        return path.is_file() or (or_folder and path.is_dir())
    except (OSError, ValueError):
        return False
