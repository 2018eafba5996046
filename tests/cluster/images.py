"""Container images out of files, without a registry and without a builder."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

EPOCH = "1970-01-01T00:00:00Z"
NOBODY = "65532"


def entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    """A member with nothing in it that differs between two machines or two days: root's, of 1970."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info


def layer(files: Mapping[str, Path]) -> bytes:
    """One layer with each file at its absolute path in the image."""
    folders: set[PurePosixPath] = set()
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for path, source in sorted(files.items()):
            inside = PurePosixPath(path.lstrip("/"))
            for folder in [*reversed(inside.parents)][1:]:
                if folder not in folders:
                    folders.add(folder)
                    info = entry(str(folder), 0, 0o755)
                    info.type = tarfile.DIRTYPE
                    tar.addfile(info)
            data = source.read_bytes()
            mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
            tar.addfile(entry(str(inside), len(data), mode), io.BytesIO(data))
    return held.getvalue()


def write_image(
    target: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str], *, user: str = NOBODY
) -> Path:
    """Write an image as a docker archive, which ``ctr images import`` and ``docker load`` take.

    Args:
        target: the tar to write.
        name: the image's name with its tag.
        files: absolute path in the image -> file here (its executable bit is kept).
        entrypoint: the command, before the pod's ``args``.
        user: the numeric user it runs as; a name would be refused by ``runAsNonRoot``.

    Returns:
        ``target``. The same files give the same bytes.
    """
    content = layer(files)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": EPOCH,
            "config": {"Entrypoint": list(entrypoint), "User": user, "WorkingDir": "/", "Env": ["PATH=/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
            "history": [{"created": EPOCH}],
        }
    ).encode()
    digest = hashlib.sha256(config).hexdigest()
    index = json.dumps([{"Config": f"{digest}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w") as tar:
        for member, data in ((f"{digest}.json", config), ("layer.tar", content), ("manifest.json", index)):
            tar.addfile(entry(member, len(data), 0o644), io.BytesIO(data))
    return target
