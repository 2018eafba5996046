"""Print what is installed, Debian's packages, Python's and Helm, as a CycloneDX 1.6 document."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote


def debian() -> list[dict[str, Any]]:
    """Debian packages, from dpkg's own list."""
    form = "${Package}\t${Version}\t${Architecture}\n"
    listed = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    rows = (line.split("\t") for line in listed.splitlines())
    return [
        component(name, version, f"pkg:deb/debian/{name}@{quote(version)}?arch={arch}") for name, version, arch in rows
    ]


def python() -> list[dict[str, Any]]:
    """Python distributions of the interpreter that runs this."""
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
    return [component(name, version, f"pkg:pypi/{name}@{quote(version)}") for name, version in sorted(found.items())]


def helm(program: Path) -> list[dict[str, Any]]:
    """Helm, where the image has it."""
    if not program.exists():
        return []
    command = [str(program), "version", "--template", "{{.Version}}"]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    module = f"helm.sh/helm/{version.partition('.')[0]}"
    return [component("helm", version, f"pkg:golang/{module}@{quote(version)}")]


def component(name: str, version: str, purl: str) -> dict[str, Any]:
    """One entry of the document."""
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    components = [*debian(), *python(), *helm(Path(sys.prefix) / "bin" / "helm")]
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    json.dump(document, sys.stdout, indent=1)
