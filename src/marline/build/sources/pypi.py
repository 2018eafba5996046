"""Distributions from the Python package index, through pip, pinned by sha256."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from marline.build.sources.cache import cache_dir, once, sha256_of, unpack
from marline.errors import SourceError
from marline.spec.model import PyPISource


def fetch(source: PyPISource) -> Path:
    """The distribution's unpacked folder.

    pip downloads it (its own configuration names the index) and refuses another sha256.

    Raises:
        SourceError: when it cannot be downloaded, with pip's last line and how to supply it by hand.
    """
    folder = cache_dir() / "downloads" / source.sha256

    def make(scratch: Path) -> None:
        pin = scratch / "requirement.txt"
        pin.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
        kind = ["--no-binary", ":all:"] if source.sdist else ["--only-binary", ":all:"]
        result = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                *kind,
                "--dest",
                str(scratch),
                "-r",
                str(pin),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        pin.unlink()
        if result.returncode:
            last = [line for line in result.stderr.strip().splitlines() if line.strip()] or ["no message"]
            raise SourceError(
                f"{source.package} {source.version} cannot be downloaded by pip: {last[-1].strip()}; check the network, "
                f"or put the file with sha256 {source.sha256} into {folder}"
            )

    once(folder, make)
    files = sorted(folder.iterdir())
    if len(files) != 1 or sha256_of(files[0]) != source.sha256:
        raise SourceError(
            f"{folder}: does not hold exactly the file of {source.package} {source.version} with sha256 {source.sha256}; "
            "delete the folder and run the command again"
        )
    return unpack(files[0], source.sha256)
