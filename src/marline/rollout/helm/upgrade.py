"""An upgrade by Helm itself, and what a killed one leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from marline.errors import MarlineError
from marline.rollout.helm.charts import write_chart
from marline.rollout.helm.releases import PENDING, Revision, revisions
from marline.rollout.kube import Kube, Object

# labels each revision with the rollout that made it, from the moment it is pending
LABEL = "marline.dev/rollout"
SECONDS = 60
# a rollout makes a few revisions; those before it stay within reach of `helm rollback`
HISTORY = 50
PAUSE_S = 0.5


class HelmRefused(MarlineError):
    """Helm ended with an error: what it said, in one line."""


def upgrade(helm: Path, kube: Kube, base: Revision, values: dict[str, Any], rollout: str) -> None:
    """Give a release new values, with the chart that it has.

    Args:
        helm: the program.
        kube: the release's namespace.
        base: the revision in force.
        values: all that the user gives, as JSON.
        rollout: who does it.

    Raises:
        HelmRefused: with what Helm says.
        MarlineError: where there is no Helm.
    """
    # what a refused upgrade has made is in no revision in force, so that no later one would take it away
    more = ["--timeout", f"{SECONDS}s", "--history-max", str(HISTORY), "--cleanup-on-fail"]
    more += ["--labels", f"{LABEL}={rollout}", "--description", f"marline rollout {rollout}"]
    _upgrade(helm, kube, base, values, more)


def tried(helm: Path, kube: Kube, base: Revision, values: dict[str, Any]) -> list[Object]:
    """The objects that values would lead to; the cluster stays as it is.

    Raises:
        HelmRefused: with what Helm, the chart or its schema says.
        MarlineError: where there is no Helm.
    """
    said = _upgrade(helm, kube, base, values, ["--dry-run=client", "--output", "json"])
    return [item for item in yaml.safe_load_all(json.loads(said)["manifest"]) if item]


def _upgrade(helm: Path, kube: Kube, base: Revision, values: dict[str, Any], more: list[str]) -> str:
    with tempfile.TemporaryDirectory(prefix="marline-chart-") as directory:
        folder = Path(directory) / "chart"
        folder.mkdir()
        write_chart(base.chart, folder)
        command = [str(helm), "upgrade", base.name, str(folder), "--namespace", kube.namespace]
        command += ["--reset-values", "--values", "-", *more]
        # its caches, which have no other place where the file system is read-only
        own = {f"HELM_{name}_HOME": str(Path(directory) / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        return run(command, json.dumps(values), os.environ | own)


def run(command: list[str], given: str, env: dict[str, str]) -> str:
    """Run Helm; what it prints.

    Raises:
        HelmRefused: with what Helm says, or that it took too long.
        MarlineError: where there is no such program.
    """
    try:
        done = subprocess.run(
            command, input=given, env=env, capture_output=True, text=True, timeout=SECONDS + 30, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HelmRefused(f"helm {command[1]}: took more than {error.timeout:g} s and was ended") from error
    except OSError as error:
        raise MarlineError(
            f"{command[0]}: cannot be run ({error.strerror}); install Helm 3 or 4, or name it with `--helm`"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split()).removeprefix("Error: ")
        raise HelmRefused(f"helm {command[1]}: {said}")
    return done.stdout


def clear_pending(
    kube: Kube, name: str, ours: Callable[[Revision], bool], patience_s: float, tick: Callable[[], None] = lambda: None
) -> str | None:
    """Take away a revision that a killed Helm of this rollout left pending: Helm itself would refuse for ever.

    The objects that it may have written already are brought in order by the next upgrade.

    Args:
        kube: the release's namespace.
        name: of the release.
        ours: which revisions may be taken away.
        patience_s: how long a Helm may still be at work that outlived whoever started it.
        tick: called while it is waited for.

    Returns:
        What was done, as a sentence; None where there was nothing to do.

    Raises:
        HelmRefused: for a pending revision of somebody else.
    """
    end = time.monotonic() + patience_s
    while (last := _last(kube, name)) is not None and last.status in PENDING:
        if not ours(last):
            raise HelmRefused(
                f"release {name}: revision {last.number} is {last.status}, and not by this rollout; let that Helm end, "
                "or `helm rollback` to a revision that is deployed"
            )
        if time.monotonic() >= end:
            kube.delete("secrets", last.secret)
            return f"Revision {last.number} was left {last.status} by a Helm that was ended, and is taken away."
        tick()
        time.sleep(PAUSE_S)
    return None


def _last(kube: Kube, name: str) -> Revision | None:
    found = revisions(kube, name)
    return found[-1] if found else None
