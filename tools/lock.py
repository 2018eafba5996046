"""Write ``requirements/*.lock``: pinned, with hashes, without any index URL.

Each is one of pyproject's extras, or several; ``graders.lock`` is ``graders.in``. torch is left out: see
``requirements/torch.txt``.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What other packages ask for and a pod never imports: torchserve's image handlers, downloads from hubs, coloured code.
# The image installs its lock without resolving, so that these stay out.
NOT_IN_A_POD = (
    "anyio", "filelock", "fsspec", "h11", "hf-xet", "httpcore2", "httpx2", "huggingface-hub",
    "pillow", "pygments", "tqdm", "truststore", "wheel",
)  # fmt: skip
LOCKS = {
    "serve": ("serve",),
    "pod": ("serve", "pod"),
    "rollout": ("rollout",),
    "dev": ("serve", "pod", "build", "rollout", "engine-fastapi", "dev"),
}


def requirements(extras: tuple[str, ...]) -> list[str]:
    """The project's requirements with ``extras``, without torch and without the project itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    if extras not in (LOCKS["pod"], LOCKS["rollout"]):  # there the project is a wheel; elsewhere it is editable
        wanted += ["hatchling>=1.27", "editables>=0.5"]
    return sorted({r for r in wanted if not r.startswith(("torch==", "marline["))})


def write(name: str, wanted: list[str], origin: str, *options: str) -> int:
    """Resolve ``wanted`` and write the lock of this name; returns uv's exit code."""
    target = ROOT / "requirements" / f"{name}.lock"
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "-",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--python-version",
        "3.11",
        "--quiet",
        "--upgrade",
        "-o",
        str(target),
        *options,
    ]
    result = subprocess.run(command, input="\n".join(wanted), text=True, check=False)
    if result.returncode == 0:
        target.write_text(f"# {origin}: written by `make lock`, do not edit\n" + target.read_text())
    return result.returncode


def main() -> int:
    """Write every lock; returns the exit code."""
    for name, extras in LOCKS.items():
        options = [f"--no-emit-package={package}" for package in NOT_IN_A_POD] if name == "pod" else []
        if code := write(name, requirements(extras), " ".join(extras), *options):
            return code
    graders = (ROOT / "requirements" / "graders.in").read_text(encoding="utf-8").splitlines()
    return write("graders", graders, "graders.in")


if __name__ == "__main__":
    sys.exit(main())
