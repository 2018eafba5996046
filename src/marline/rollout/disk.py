"""Room on the node's disk that a large archive needs: where the chart's defaults do not hold it, and only there."""

from __future__ import annotations

import math
from typing import Any

from marline.rollout.facts import Facts
from marline.spec.release import AtUrl, ReleaseVariant

MIB = 2**20
# the chart's defaults of storage.run, storage.archives and the limits of ephemeral storage
RUN_MB, ARCHIVES_MB, LIMIT_MB = 1024, 4096, 4096
# logs, sockets and configuration beside the unpacked archive, or a file system's own beside the fetched one
BESIDE_MB = 256
STEP_MB = 64

Values = dict[str, Any]


def archive_mb(facts: Facts) -> int:
    """MiB of a directory that holds the archive, packed or unpacked: the files in one are not compressed."""
    return math.ceil((facts.size_bytes / MIB + BESIDE_MB) / STEP_MB) * STEP_MB


def storage_values(wanted: ReleaseVariant, facts: Facts) -> Values:
    """The chart's ``storage`` of an endpoint; what the release passes on as ``pod.storage`` wins, key by key."""
    needed = archive_mb(facts)
    out: Values = {}
    if needed > RUN_MB:
        out["run"] = f"{needed}Mi"
    if isinstance(wanted.archive, AtUrl) and needed > ARCHIVES_MB:
        out["archives"] = f"{needed}Mi"
    own = wanted.pod.get("storage")
    return {**out, **own} if isinstance(own, dict) else out


def disk_resources(wanted: ReleaseVariant, facts: Facts) -> dict[str, Values]:
    """``ephemeral-storage`` of containers by their name; a pod that uses more than all its limits is evicted.

    The server's covers the unpacked archive, besides what the chart leaves for ``/tmp``; the agent's, which the fetch
    has too, the fetched one.
    """
    needed = archive_mb(facts)
    out: dict[str, Values] = {}
    if needed > RUN_MB:
        out["server"] = _both(needed, needed + LIMIT_MB - RUN_MB)
    if isinstance(wanted.archive, AtUrl) and needed > ARCHIVES_MB:
        out["agent"] = _both(needed, needed)
    return out


def _both(request: int, limit: int) -> Values:
    return {
        "limits": {"ephemeral-storage": f"{limit}Mi"},
        "requests": {"ephemeral-storage": f"{request}Mi"},
    }
