"""Build the container image: the wheel, the lock and the archives in a context of their own, one Dockerfile.

``tools/image.py --tag registry.example/marline:1.0.0 sentiment`` puts the default variant of ``sentiment``'s
production version into the image; ``sentiment/1.0.0/onnx-fp32`` names one.  Without an archive the image is
for archives that come from elsewhere (a volume, or a URL).
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from marline.artifact.registry import production
from marline.artifact.store import Store
from marline.errors import MarlineError, StoreError

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("docker", "podman", "buildah")
# keys of pip's configuration that the build takes over, and the argument that each becomes
INDEXES = {"index-url": "PIP_INDEX_URL", "extra-index-url": "PIP_EXTRA_INDEX_URL"}


def main(arguments: list[str]) -> int:
    """Build; returns the exit code of the tool."""
    parser = argparse.ArgumentParser(description="Build the container image.")
    parser.add_argument("archives", nargs="*", help="model, model/version or model/version/variant")
    parser.add_argument("--tag", required=True, help="name of the image")
    parser.add_argument("--target", choices=("slim", "full", "rollout"), default="slim", help="full has torch")
    parser.add_argument("--tool", choices=TOOLS, help="default: the first that is installed")
    parser.add_argument("--helm", type=Path, help="program for the target rollout; default: the one in PATH")
    parser.add_argument("--base", help="base image instead of debian:bookworm-slim")
    parser.add_argument("--store", type=Path, default=Path("model_store"))
    parser.add_argument("--option", action="append", default=[], help="passed to the tool's build as it is")
    options = parser.parse_args(arguments)
    tool = options.tool or next((t for t in TOOLS if shutil.which(t)), None)
    if tool is None:
        print(f"image: none of {', '.join(TOOLS)} is installed; install one", file=sys.stderr)
        return 1
    try:
        if options.target == "rollout" and options.archives:
            raise MarlineError(
                f"{' '.join(options.archives)}: the image of the target rollout serves no archives; leave them out, or choose "
                "slim or full"
            )
        archives = [archive(Store(options.store), name) for name in options.archives]
        helm = helm_for_linux(options.helm) if options.target == "rollout" else None
    except MarlineError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="marline-image-") as directory:
        context = Path(directory)
        if code := prepare(context, archives, helm):
            return code
        found = pip_configuration()
        extra = [f"--build-arg={INDEXES[key]}={value}" for key, value in found.items() if key in INDEXES]
        extra += [f"--build-arg=BASE={options.base}"] if options.base else []
        if options.target == "full":
            copy_links(found.get("find-links", ""), context / "links")
        # what is given by hand wins: it comes last
        command = [tool, "build", *extra, *options.option, "--target", options.target, "--tag", options.tag]
        return subprocess.run([*command, str(context)], check=False).returncode


def archive(store: Store, name: str) -> Path:
    """The archive that ``model[/version[/variant]]`` means.

    Raises:
        StoreError: when there is none.
    """
    parts = name.split("/")
    if len(parts) > 3 or not all(parts):
        raise StoreError(f"{name!r} is no archive; allowed: model, model/version or model/version/variant")
    model, version, variant = [*parts, "", ""][:3]
    version = version or production(store, model) or store.known_versions(model)[-1]
    variant = variant or (store.report(model, version) or {}).get("default_variant") or store.variants(model, version)[0]
    return store.archive(model, version, variant)


def helm_for_linux(given: Path | None) -> Path:
    """The Helm that goes into the image: the one that the releases are installed with.

    Raises:
        MarlineError: where there is none, or one for another system.
    """
    found = given or shutil.which("helm")
    if found is None:
        raise MarlineError("the target rollout needs Helm, and PATH has none; name one for Linux with --helm")
    path = Path(found)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise MarlineError(f"{path}: cannot be read ({error.strerror}); name a Helm for Linux with --helm") from error
    if start != b"\x7fELF":
        raise MarlineError(f"{path}: is no program for Linux, which the image is for; name one with --helm")
    return path


def prepare(context: Path, archives: list[Path], helm: Path | None = None) -> int:
    """Fill the build's context; returns the exit code of building the wheel."""
    for file in ("Dockerfile", "cpu_only.sh", "finish.sh", "sbom.py"):
        shutil.copy(ROOT / "image" / file, context)
    (context / "requirements").mkdir()
    for file in ("pod.lock", "rollout.lock", "torch.txt"):
        shutil.copy(ROOT / "requirements" / file, context / "requirements")
    for folder in ("archives", "links", "helm"):
        (context / folder).mkdir()
    if helm is not None:
        shutil.copy(helm, context / "helm" / "helm")
        (context / "helm" / "helm").chmod(0o755)
    for path in archives:
        shutil.copy(path, context / "archives")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(context / "wheel")]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode


def pip_configuration() -> dict[str, str]:
    """What this machine's pip is configured with, its environment variables over its files."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.partition("=") for line in listed.splitlines()]
    found = {key: str(ast.literal_eval(value)) for key, _, value in lines}
    sections = ("global", "install", ":env:")
    return {key.removeprefix(f"{s}."): v for s in sections for key, v in found.items() if key.startswith(f"{s}.")}


def copy_links(places: str, target: Path) -> None:
    """Copy the wheels of torch that lie in folders which pip looks into."""
    version = re.search(r"^torch==(\S+)$", (ROOT / "requirements" / "torch.txt").read_text(), re.MULTILINE)
    for place in places.split():
        folder = Path(place.removeprefix("file://"))
        for wheel in folder.glob(f"torch-{version[1]}*.whl") if version and folder.is_dir() else ():
            shutil.copy(wheel, target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
