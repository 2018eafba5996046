"""Does this machine have what a manifest requires?  CPU flags and package versions, nothing else."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from functools import cache
from pathlib import Path

from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest


@cache
def cpu_flags() -> frozenset[str]:
    """The CPU's feature flags as Linux spells them; empty where the system does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    return frozenset(found.group(1).split()) if found else frozenset()


def cpu_class() -> str:
    """The instruction-set class measurements belong to: avx512-vnni, avx512, avx2 or the architecture."""
    flags = cpu_flags()
    if "avx512_vnni" in flags:
        return "avx512-vnni"
    if "avx512f" in flags:
        return "avx512"
    return "avx2" if "avx2" in flags else platform.machine()


def require(manifest: Manifest) -> None:
    """Check CPU flags and package versions.

    A package must have the major version it was built with and at least its minor version.

    Raises:
        LoadError: naming the first thing that is missing, what was found and what to do.
    """
    who = f"{manifest.model} {manifest.served_version}"
    if missing := [flag for flag in manifest.requirements.cpu_flags if flag not in cpu_flags()]:
        raise LoadError(
            f"{who} requires the CPU flag {missing[0]}, this CPU ({cpu_class()}) lacks it; choose another variant"
        )
    for package, built in manifest.requirements.packages.items():
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise LoadError(
                f"{who} requires {package} {built}, which is not installed; "
                f"install it with `pip install {package}=={built}`"
            ) from None
        if _release(found)[0] != _release(built)[0] or _release(found) < _release(built):
            raise LoadError(
                f"{who} was built with {package} {built} and found {found} "
                f"(allowed: from {built}, same major version); install {package}=={built} or rebuild the archive"
            )


def _release(version: str) -> tuple[int, int]:
    numbers = re.findall(r"\d+", version)[:2]
    return int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
