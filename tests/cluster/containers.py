"""The node's images: brought in from archives, since it can pull none."""

from __future__ import annotations

from pathlib import Path

from cluster.binaries import binary
from cluster.errors import ClusterError
from cluster.images import write_image
from cluster.node import Node
from cluster.settings import CONTAINERD_SOCKET, Settings

CTR = ("ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io")
OWN = ("pause", "coredns", "metrics-server")


def import_archive(settings: Settings, archive: Path) -> None:
    """Import a docker or OCI archive into the node's containerd.

    Raises:
        ClusterError: there is no such file, or it is no image archive.
    """
    if not archive.is_file():
        raise ClusterError(f"{archive}: no such image archive")
    with archive.open("rb") as file:
        Node(settings).inside(*CTR, "images", "import", "-", stdin=file, timeout=1200)


def own_image(folder: Path, name: str) -> Path:
    """Write the image ``marline.test/NAME:1`` of a program that is built here; returns the archive."""
    return write_image(folder / f"{name}.tar", f"marline.test/{name}:1", {f"/{name}": binary(name)}, [f"/{name}"])


def import_own(settings: Settings) -> None:
    """The images the node itself needs."""
    for name in OWN:
        archive = own_image(settings.state / "images", name)
        import_archive(settings, archive)
        archive.unlink()
