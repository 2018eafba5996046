"""``config/compat.yaml``: which package versions were proven together, when, and which are known bad."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Annotated

from pydantic import Field

import marline
from marline.errors import SpecError
from marline.spec.base import Strict
from marline.spec.explain import validate
from marline.spec.yaml import read_yaml

COMPAT_FILE = Path("config/compat.yaml")
# of an installed wheel, and of a checkout that is used from another folder
_OWN_COPIES = (Path(marline.__file__).parent / "_data/compat.yaml", Path(marline.__file__).parents[2] / COMPAT_FILE)
PACKAGES = ("torchserve", "torch", "onnxruntime", "transformers")
Date = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]


class ProvenRow(Strict):
    """Versions whose whole test suite passed on ``date``; java is the major version."""

    date: Date
    python: str
    java: str
    torchserve: str
    torch: str
    onnxruntime: str
    transformers: str
    note: str = ""


class BadRow(Strict):
    """A version known not to work, why, and what to take instead."""

    package: str
    version: str
    reason: str
    instead: str


class Compat(Strict):
    """All rows."""

    torchserve: str = Field(description="The one TorchServe version supported.")
    proven: list[ProvenRow]
    bad: list[BadRow]

    def check(self, found: dict[str, str]) -> list[str]:
        """Warnings for the versions found.

        Args:
            found: package name to version, ``python`` as major.minor; a package not installed is absent.

        Returns:
            No sentence where a proven row matches all that is installed, else one.

        Raises:
            SpecError: for a known-bad version or a TorchServe other than the supported one.
        """
        problems = [
            f"{row.package} {row.version} is known not to work: {row.reason}; install {row.instead}"
            for row in self.bad
            if found.get(row.package, "").split("+")[0] == row.version
        ]
        server = found.get("torchserve", self.torchserve)
        if server != self.torchserve:
            problems.append(
                f"torchserve {server} is not supported (allowed: {self.torchserve}); "
                f"`pip install torchserve=={self.torchserve}`"
            )
        if problems:
            raise SpecError(problems)
        for row in self.proven:
            known = row.model_dump(exclude={"date", "note"})
            if all(known[name] == version.split("+")[0] for name, version in found.items() if name in known):
                return []
        versions = ", ".join(f"{k} {v}" for k, v in sorted(found.items()))
        return [f"not a proven row of {COMPAT_FILE}: {versions}; run the tests and add a row, or install a proven one"]


def load_compat(path: Path | None = None) -> Compat:
    """Read the compatibility table.

    Args:
        path: the file; by default the project's, or the copy inside the installed package.

    Raises:
        SpecError: when there is none, or with every problem it has.
    """
    candidates = (COMPAT_FILE, *_OWN_COPIES)
    return validate(Compat, read_yaml(path or next((c for c in candidates if c.is_file()), COMPAT_FILE)))


def installed_versions() -> dict[str, str]:
    """Versions of what is installed among the packages the table knows, and Python's own."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
