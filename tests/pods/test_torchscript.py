"""A TorchScript archive in a pod of the image with torch; the other suites run without torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import archives, chart
from pods.archives import Archive
from pods.chart import Release, ask
from pods.load import QUESTIONS, wrong
from pods.test_install import stages

pytestmark = pytest.mark.skipif(
    os.environ.get("MARLINE_TEST_SLOW") != "1",
    reason="MARLINE_TEST_SLOW is not 1: the image with torch takes 20 GB of disk for a while, and 10 minutes",
)


@pytest.fixture(scope="module")
def archive(torch_built: Path) -> Archive:
    return archives.described(torch_built)


@pytest.fixture(scope="module")
def installed(cluster: Cluster, full_image: str, folder: Path, archive: Archive) -> Iterator[Release]:
    variant: dict[str, Any] = {
        "model": archive.model, "version": archive.version, "variant": archive.variant,
        "archive": {"source": "image", "sha256": archive.sha256},
    }  # fmt: skip
    with chart.release(cluster, full_image, folder, {"variants": {"torchscript": variant}}) as release:
        release.upgrade()
        yield release


def test_it_answers_rightly_within_the_default_limits(installed: Release) -> None:
    def right() -> bool:
        asked = f"{installed.url()}/predictions/sentiment"
        return not any(wrong(*ask(asked, {"text": text}, timeout=30), label) for text, label in QUESTIONS)

    installed.cluster.until(right, "right answers", 60)
    (pod,) = installed.pods()
    assert [s["restartCount"] for s in pod["status"]["initContainerStatuses"]] == [0, 0]
    print(f"\nhelm install to ready, by stage: {stages(installed)}")
    print(f"of storage.run 1024 MiB: {sizes(installed, '/run/marline')}; server's memory {memory(installed)} MiB")
    packages = "/opt/marline/lib/python3.11/site-packages"
    print(
        f"image, MiB: {sizes(installed, f'{packages}/torch', f'{packages}/nvidia', '/opt/marline', '/usr', '/archives')}"
    )


def sizes(release: Release, *paths: str) -> dict[str, int]:
    """MiB that lie below paths of the server."""
    name = release.pods()[0]["metadata"]["name"]
    said = release.kubectl("exec", name, "-c", "server", "--", "du", "-m", "--summarize", "--count-links", *paths)
    return {path.rpartition("/")[2]: int(size) for size, path in (line.split("\t") for line in said.splitlines())}


def memory(release: Release) -> int:
    """MiB that the server's processes hold, what they share counted once."""
    code = "import psutil; print(sum(p.memory_full_info().pss for p in psutil.process_iter()) >> 20)"
    return int(release.python(release.pods()[0]["metadata"]["name"], code))


def test_helm_test_asks_golden_requests(installed: Release) -> None:
    said = installed.cluster.helm("test", chart.RELEASE, "-n", installed.namespace, "--logs", "--timeout", "60s")
    assert re.search(r"\d+ golden requests answered rightly", said), said
