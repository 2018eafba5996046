"""The chart with a release's values, as the objects that `helm install` would apply."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from marline.errors import MarlineError
from marline.rollout.plan import Plan

CHART = Path("helm")
# what the chart asks for at least; it renders the same for every later version
KUBE_VERSION = "1.30.0"
SECONDS = 120

Object = dict[str, Any]


def render(helm: Path, release: Plan, chart: Path = CHART) -> list[Object]:
    """Render a release with Helm, without the objects of `helm test`, which only Helm runs.

    Args:
        helm: the program, version 3 or 4.
        release: what to render.
        chart: the chart's folder.

    Returns:
        The objects by kind and name, in their namespace.

    Raises:
        MarlineError: when Helm refuses, with what it says.
    """
    namespace = release.release.namespace
    command = [str(helm), "template", release.release.release, str(chart), "--namespace", namespace]
    command += ["--set", "tests.enabled=false", "--kube-version", KUBE_VERSION, "--values", "-"]
    # nothing of the user's own Helm: no repositories, no plugins, no cluster
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HELM_", "KUBE"))}
    try:
        done = subprocess.run(
            command, input=release.text, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MarlineError(f"{helm}: cannot be run ({error}); install Helm 3 or 4, or name it with `--helm`") from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise MarlineError(f"{release.path}: the chart refuses its values: {said}; correct the release")
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    return sorted(objects, key=lambda item: (item["kind"], item["metadata"]["name"]))
