from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marline.build.data import load_split
from marline.errors import SourceError
from marline.spec.model import SPLITS, Data
from unit.build import tiny


def _data(sha256: str, **changes: Any) -> Data:
    return Data.model_validate(tiny.data_section(sha256) | changes)


def test_splits_are_a_stable_partition_without_neutral_items_in_gate_and_test(links: Path):
    data = _data(tiny.data_wheel(links))
    rows = {i: (rating, text) for i, rating, text in tiny.reviews()}
    unclear = {i for i, (rating, _) in rows.items() if abs(rating) <= 0.5}
    splits = {name: [item.id for item in load_split(data, name)] for name in SPLITS}
    together = [identifier for split in splits.values() for identifier in split]
    assert len(together) == len(set(together))
    assert unclear.isdisjoint({*splits["gate"], *splits["test"]})
    assert set(rows) - set(together) <= unclear
    assert unclear & {*splits["train"], *splits["calibration"]}
    # shares are kept within what hashing leaves to chance
    assert len(splits["gate"]) == pytest.approx(0.5 * 475, abs=40)
    assert splits == {name: [item.id for item in load_split(data, name)] for name in SPLITS}
    for item in load_split(data, "gate"):
        assert (item.rating, item.text) == rows[item.id]
        assert item.label == int(item.rating > 0)
    # by this, a change of the hash would move items between train and gate of every spec
    assert splits["test"][:5] == ["r5", "r7", "r8", "r10", "r11"]


def test_no_item_changes_sides_when_others_come_or_go(links: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    whole = {i.id for i in load_split(_data(tiny.data_wheel(links)), "train")}
    rows = tiny.reviews()
    sha256 = tiny.data_wheel(links, rows[::2])
    monkeypatch.setenv("MARLINE_CACHE", str(tmp_path / "other"))
    half = {i.id for i in load_split(_data(sha256), "train")}
    assert half == whole & {row[0] for row in rows[::2]}


def test_the_margin_is_the_spec_s(links: Path):
    sha256 = tiny.data_wheel(links)
    assert len(load_split(_data(sha256, neutral_margin=0.0), "gate")) > len(load_split(_data(sha256), "gate"))
    assert load_split(_data(sha256, neutral_margin=3.0), "gate") == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"toyreviews/other.txt": b""}, "toyreviews 1.0: holds no hutto_ICWSM_2014.tar.gz; check `data.source`"),
        ({tiny.ARCHIVE: tiny.tarball({"x/y.txt": b""})}, f"hutto_ICWSM_2014.tar.gz: holds no {tiny.MEMBER}; check"),
        ({tiny.ARCHIVE: tiny.tarball({tiny.MEMBER: b"1\t2.0\tfine\n2\tgood\n"})}, f"{tiny.MEMBER}:2: expected id, rating and text"),
        ({tiny.ARCHIVE: tiny.tarball({tiny.MEMBER: b"1\tbest\tfine\n"})}, f"{tiny.MEMBER}:1: expected id, rating and text"),
        ({tiny.ARCHIVE: b"no archive"}, "hutto_ICWSM_2014.tar.gz: cannot be unpacked"),
        ({tiny.ARCHIVE: tiny.tarball({tiny.MEMBER: b"1\t1.0\tfine\n" * 999})[:60]}, "hutto_ICWSM_2014.tar.gz: cannot be unpacked"),
    ],
)
def test_data_that_is_not_what_the_reader_knows_is_one_sentence(files: dict[str, bytes], sentence: str, links: Path):
    with pytest.raises(SourceError) as caught:
        load_split(_data(tiny.wheel(links, "toyreviews", "1.0", files)), "train")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
