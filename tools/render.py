"""Write k8s/, the chart rendered for every file of config/releases, as a base and overlays for kustomize.

python tools/render.py            write it
python tools/render.py --check    write nothing; fail if a file is stale

Everything follows from committed files: the chart, the releases, their locks and the models' specs. Helm is `--helm`,
else `$HELM`, else the one in the PATH, else the one that tests/cluster builds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from marline.errors import MarlineError
from marline.rollout.kustomize import Environment, files, stale, write
from marline.rollout.plan import plan
from marline.rollout.render import render
from marline.spec.release import RELEASES_DIR

ROOT = Path(__file__).resolve().parent.parent
BASE = "local"
TARGET = Path("k8s")


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write k8s/ from helm/ and config/releases.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    parser.add_argument("--helm", help="the program; $HELM, the one in the PATH, or tests/cluster's if not given")
    options = parser.parse_args(arguments)
    try:
        wanted = rendered(helm_at(options.helm or os.environ.get("HELM")))
    except MarlineError as error:
        print("\n".join(f"render: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 1
    if not options.check:
        write(TARGET, wanted)
    elif found := stale(TARGET, wanted):
        names = ", ".join(str(TARGET / name) for name in found)
        print(f"{names}: not what helm/ and config/releases render; run `make render`", file=sys.stderr)
        return 1
    return 0


def helm_at(given: str | None) -> Path:
    """Helm 3 or 4.

    Raises:
        MarlineError: when there is none.
    """
    if found := shutil.which(given or "helm"):
        return Path(found)
    if given:
        raise MarlineError(f"{given}: no such program; name Helm 3 or 4 with `--helm` or $HELM, or leave both out")
    sys.path.insert(0, str(ROOT / "tests"))
    from cluster.binaries import binary
    from cluster.errors import ClusterError

    try:
        return binary("helm")
    except ClusterError as error:
        raise MarlineError(f"no Helm in the PATH, and none can be built ({error}); install Helm 3 or 4") from error


def rendered(helm: Path) -> dict[str, str]:
    """Every file below k8s/: its path there and its text.

    Raises:
        MarlineError: for a release that is refused.
    """
    environments = {}
    for path in sorted(RELEASES_DIR.glob("*.yaml")):
        found = plan(path.stem, None)
        environments[path.stem] = Environment(found.release.namespace, found.release.image, render(helm, found))
    return files(environments, BASE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
