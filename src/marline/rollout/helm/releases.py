"""Revisions of a Helm release.

Helm writes each revision into a Secret: JSON, compressed, in base64, the release's own and then the Secret's.
Source: Helm's storage driver for Secrets, the same in Helm 3 and 4.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

import yaml

from marline.errors import MarlineError
from marline.rollout.kube import Kube, Object

DEPLOYED = "deployed"
# was in force until another revision took its place
SUPERSEDED = "superseded"
# with its history kept
UNINSTALLED = ("uninstalled", "uninstalling")
# a manifest is long, and is read at every look: by the library in C where there is one
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# a Helm that is at work, or that was killed at it
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass(frozen=True)
class Revision:
    """One revision.

    Attributes:
        name: of the release.
        number: of the revision.
        status: as Helm names it.
        labels: of the revision, Helm's own and those that an upgrade was given.
        values: what the user gave, without the chart's defaults.
        chart: Helm's record of the chart.
        manifest: all objects as YAML.
        secret: name of the Secret that holds it.
        server_side: whether Helm applies this release on the server, as Helm 4 does.
    """

    name: str
    number: int
    status: str
    labels: dict[str, str]
    values: dict[str, Any]
    chart: dict[str, Any]
    manifest: str
    secret: str
    server_side: bool

    def objects(self, *kinds: str) -> list[Object]:
        """Objects of the manifest, of these kinds or all."""
        found = [item for item in yaml.load_all(self.manifest, Loader=_LOADER) if item]
        return [item for item in found if not kinds or item["kind"] in kinds]


def revisions(kube: Kube, name: str, status: str | None = None) -> list[Revision]:
    """All revisions of a release that are kept, or those of one status, the oldest first."""
    found = kube.list("secrets", f"owner=helm,name={name}" + (f",status={status}" if status else ""))
    return sorted((decoded(secret) for secret in found), key=lambda revision: revision.number)


class Absent(MarlineError):
    """No revision of a release is in force."""


def deployed(kube: Kube, name: str) -> Revision:
    """The revision that is in force.

    Helm supersedes the old one before it calls the new one deployed: where it was killed between the two, it takes the
    newest superseded one for the one in force, and so is done here.

    Raises:
        Absent: where there is none.
    """
    # of many revisions, each with a whole chart, only those are asked for
    found = revisions(kube, name, DEPLOYED)
    if not found and not any(revisions(kube, name, status) for status in UNINSTALLED):
        found = revisions(kube, name, SUPERSEDED)
    if not found:
        raise Absent(
            f"namespace {kube.namespace}: no release {name} is deployed there; install it first, with the values "
            "that `marline release` writes"
        )
    return found[-1]


def decoded(secret: Object) -> Revision:
    """A revision out of its Secret.

    Raises:
        MarlineError: for a Secret that holds none.
    """
    name, labels = secret["metadata"]["name"], dict(secret["metadata"].get("labels", {}))
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        document = json.loads(gzip.decompress(packed))
        return Revision(
            name=document["name"],
            number=int(document["version"]),
            status=labels.get("status") or document["info"]["status"],
            labels=labels,
            values=document.get("config") or {},
            chart=document["chart"],
            manifest=document.get("manifest", ""),
            secret=name,
            server_side=document.get("apply_method") == "ssa",
        )
    except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise MarlineError(
            f"secrets/{name}: holds no revision of a Helm release ({type(error).__name__}: {error}); see `helm history`"
        ) from error
