"""Labelled data for training, calibration, gate and test, split by hash so that no item changes sides."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from marline.build.sources import pypi
from marline.errors import SourceError
from marline.spec.model import Data

READERS = {
    # Hutto & Gilbert (2014), VADER: 10,605 movie-review snippets, mean of 20 human ratings from -4 to 4
    "vader-movie-reviews": ("hutto_ICWSM_2014.tar.gz", "movieReviewSnippets_GroundTruth.txt"),
}


@dataclass(frozen=True)
class Item:
    """One text with its mean human rating; ``label`` is the index into the spec's labels."""

    id: str
    text: str
    rating: float

    @property
    def label(self) -> int:
        """0 negative, 1 positive."""
        return int(self.rating > 0)


def load_split(data: Data, split: str) -> list[Item]:
    """The items of one split, in file order.

    Args:
        data: the spec's data section.
        split: train, calibration, gate or test.  In gate and test, items whose rating lies within
            ``neutral_margin`` of zero are left out: people did not agree on them.
    """
    items = [item for item in _read(data) if _split_of(item.id, data) == split]
    if split in ("gate", "test"):
        items = [item for item in items if abs(item.rating) > data.neutral_margin]
    return items


def _split_of(identifier: str, data: Data) -> str:
    position = int.from_bytes(hashlib.sha256(f"marline:{identifier}".encode()).digest()[:8], "big") / 2**64
    bound = 0.0
    for name, share in data.shares.items():
        bound += share
        if position < bound:
            return name
    return name


def _read(data: Data) -> list[Item]:
    archive_name, member = READERS[data.reader]
    folder = pypi.fetch(data.source)
    archives = sorted(folder.rglob(archive_name))
    if not archives:
        raise SourceError(f"{data.source.package} {data.source.version}: holds no {archive_name}; check `data.source`")
    items = []
    for number, line in enumerate(_lines(archives[0], member), 1):
        fields = line.split("\t")
        try:
            identifier, rating, text = fields[0], float(fields[1]), fields[2].strip()
        except (IndexError, ValueError):
            text = ""
        if len(fields) != 3 or not text:
            raise SourceError(f"{member}:{number}: expected id, rating and text separated by tabs; check `data.source`")
        items.append(Item(identifier, text, rating))
    return items


def _lines(archive: Path, member: str) -> list[str]:
    try:
        with tarfile.open(archive) as tar:
            found = [m for m in tar.getmembers() if Path(m.name).name == member]
            stream = tar.extractfile(found[0]) if found else None
            if stream is None:
                raise SourceError(f"{archive.name}: holds no {member}; check `data.source`")
            return stream.read().decode("latin-1").splitlines()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{archive}: cannot be unpacked ({reason}); delete it and run the command again") from error
