"""`marline agent fetch` against a real HTTP server that fails in every way that it can."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.source import Source, cut_after, hold_after, serving, status, without_length
from marline.agent import remote
from marline.agent.fetch import Limits, fetch
from marline.errors import ServeError

CONTENT = random.Random(1).randbytes(600_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
OTHER = random.Random(2).randbytes(600_000)
QUICK = Limits(attempts=3, seconds=30, pause_s=0.01)


@pytest.fixture
def source() -> Iterator[Source]:
    with serving(CONTENT) as source:
        yield source


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    folder.mkdir()
    return folder / "model.mar"


def partial_of(target: Path, sha256: str = SHA) -> Path:
    return target.with_name(f".{sha256}.partial")


def get(source: Source, target: Path, sha256: str = SHA, limits: Limits = QUICK) -> str:
    said = fetch(source.url, sha256, target, limits)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    return said


def sentence(url: str, target: Path, sha256: str = SHA, limits: Limits = QUICK) -> str:
    with pytest.raises(ServeError) as caught:
        fetch(url, sha256, target, limits)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


def test_a_file_arrives_under_its_name(source: Source, target: Path) -> None:
    said = get(source, target)
    assert said.startswith(f"{target}: 600000 bytes from {source.url} in ")
    assert source.asked == [("/dir/model.mar", None)]


def test_one_that_is_there_is_not_asked_for(source: Source, target: Path) -> None:
    target.write_bytes(CONTENT)
    assert get(source, target) == f"{target}: has sha256 {SHA} already, nothing was downloaded"
    assert source.asked == []


def test_another_file_under_its_name_is_replaced(source: Source, target: Path) -> None:
    target.write_bytes(OTHER)
    get(source, target)


def test_another_file_under_its_name_stays_when_the_download_fails(source: Source, target: Path) -> None:
    target.write_bytes(OTHER)
    source.content = OTHER[:-1]
    with pytest.raises(ServeError):
        fetch(source.url, SHA, target, QUICK)
    assert target.read_bytes() == OTHER
    assert list(target.parent.iterdir()) == [target]


def test_a_cut_is_continued_from_the_byte_where_it_happened(source: Source, target: Path) -> None:
    source.faults = [cut_after(200_000), cut_after(200_000)]
    get(source, target)
    first, second, third = source.offsets
    assert first == 0 < second <= 200_000 < third <= 400_000


def test_a_cut_without_ranges_begins_again(source: Source, target: Path) -> None:
    source.ranges = False
    source.faults = [cut_after(200_000)]
    get(source, target)
    assert source.offsets[0] == source.offsets[-1] == 0


def test_a_connection_that_brings_nothing_more_is_given_up(
    source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "STALLED_S", 0.2)
    release = threading.Event()
    source.faults = [hold_after(200_000, release)]
    lines: list[str] = []
    try:
        fetch(source.url, SHA, target, QUICK, lines.append)
    finally:
        release.set()
    assert target.read_bytes() == CONTENT
    first, second = source.offsets
    assert first == 0 < second <= 200_000
    assert len(lines) == 1 and ": TimedOut; next attempt in " in lines[0]


def test_cuts_that_bring_bytes_use_up_no_attempt(source: Source, target: Path) -> None:
    source.faults = [cut_after(100_000)] * 5
    get(source, target)
    assert len(source.asked) == 6 > QUICK.attempts


def test_cuts_at_the_same_place_end(source: Source, target: Path) -> None:
    source.ranges = False
    source.faults = [cut_after(100_000)] * 20
    assert "attempt 3 of 3 without progress" in sentence(source.url, target)


def test_busy_twice_is_asked_a_third_time(source: Source, target: Path) -> None:
    source.faults = [status(503), status(429)]
    get(source, target)
    assert len(source.asked) == 3


def test_busy_for_ever_is_given_up(source: Source, target: Path) -> None:
    source.faults = [status(503)] * 20
    assert sentence(source.url, target) == (
        f"{source.url}: did not arrive (attempt 3 of 3 without progress, 30 s in all at most): status 503; "
        "see that it can be reached from here, 0 bytes are kept for the next start"
    )
    assert len(source.asked) == 3


def test_the_time_is_bounded_as_well(source: Source, target: Path) -> None:
    source.faults = [status(503)] * 20
    sentence(source.url, target, limits=Limits(attempts=1000, seconds=0.0, pause_s=0.01))
    assert len(source.asked) == 1


def test_what_arrived_before_a_giving_up_is_kept_for_the_next_start(source: Source, target: Path) -> None:
    source.faults = [cut_after(300_000), *[status(503)] * 3]
    said = sentence(source.url, target)
    kept = partial_of(target).stat().st_size
    assert 0 < kept <= 300_000
    assert f"{kept} bytes are kept for the next start" in said
    assert f"({kept} of them kept from before)" in get(source, target)
    assert source.offsets[-1] == kept


def test_a_partial_file_that_is_whole_needs_no_request(source: Source, target: Path) -> None:
    partial_of(target).write_bytes(CONTENT)
    get(source, target)
    assert source.asked == []


@pytest.mark.parametrize(
    "kept",
    [OTHER[:1000], OTHER, OTHER + b"more", CONTENT + b"more", CONTENT[:-1] + b"!"],
    ids=["other bytes", "another file", "longer", "longer by a bit", "one wrong byte"],
)
def test_a_partial_file_that_does_not_fit_is_begun_again_once(source: Source, target: Path, kept: bytes) -> None:
    partial_of(target).write_bytes(kept)
    get(source, target)
    assert source.offsets == [len(kept), 0]


def test_a_source_that_changes_in_the_middle_is_begun_again(source: Source, target: Path) -> None:
    source.content = OTHER

    def change(handler: object, body: bytes, start: int) -> bool:
        source.content = CONTENT
        return cut_after(200_000)(handler, body, start)  # type: ignore[arg-type]

    source.faults = [change]
    get(source, target)
    assert source.offsets[0] == source.offsets[-1] == 0
    assert len(source.asked) == 3


def test_a_wrong_digest_leaves_nothing(source: Source, target: Path) -> None:
    source.content = OTHER
    found = hashlib.sha256(OTHER).hexdigest()
    assert sentence(source.url, target) == (
        f"{source.url}: has sha256 {found} (600000 bytes), the release says {SHA}; "
        "put the archive there that was released, or release this one with `marline release`"
    )
    assert list(target.parent.iterdir()) == []
    assert len(source.asked) == 1


def test_a_wrong_digest_is_found_at_most_twice(source: Source, target: Path) -> None:
    source.content = OTHER
    partial_of(target).write_bytes(OTHER[:1000])
    assert f"the release says {SHA}" in sentence(source.url, target)
    assert source.offsets == [1000, 0]
    assert list(target.parent.iterdir()) == []


def test_a_wrong_digest_after_a_cut_in_the_second_beginning_is_final(source: Source, target: Path) -> None:
    source.content = OTHER
    partial_of(target).write_bytes(OTHER[:1000])
    source.faults = [None, cut_after(200_000)]
    assert f"the release says {SHA}" in sentence(source.url, target)
    first, second, third = source.offsets
    assert (first, second) == (1000, 0) and 0 < third <= 200_000


def test_a_file_truncated_at_its_source_is_a_wrong_digest(source: Source, target: Path) -> None:
    source.content = CONTENT[:-1]
    assert "(599999 bytes), the release says" in sentence(source.url, target)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (404, "is not there (404); put the archive there, or correct the url"),
        (403, "must not be read (403); give credentials that may: sign the url, or put them into it"),
        (401, "must not be read (401); give credentials that may: sign the url, or put them into it"),
        (410, "is refused (410); correct the url"),
    ],
)
def test_a_refusal_is_final(source: Source, target: Path, code: int, says: str) -> None:
    source.faults = [status(code)]
    assert sentence(source.url, target) == f"{source.url}: {says}"
    assert len(source.asked) == 1


def test_a_server_without_lengths_is_named(source: Source, target: Path) -> None:
    source.faults = [without_length]
    assert sentence(source.url, target) == (
        f"{source.url}: comes without Content-Length, so that a cut is not noticed; serve it as a file, uncompressed"
    )


def test_nobody_there_is_named(target: Path) -> None:
    with serving(b"") as gone:
        url = gone.url
    assert "): Connection refused; see that it can be reached from here" in sentence(url, target)


def test_a_host_without_address_is_named(target: Path) -> None:
    assert "failed to lookup address information" in sentence("http://no-such-host.invalid/a.mar", target)


def test_a_redirect_is_followed_without_the_credentials(source: Source, target: Path) -> None:
    with serving(b"") as first:
        first.faults = [status(302, location=source.url)]
        fetch(first.url.replace("127.0.0.1", "user:secret@127.0.0.1"), SHA, target, QUICK)
        assert first.authorizations == ["Basic dXNlcjpzZWNyZXQ="]
    assert source.authorizations == [None]


def test_a_signed_url_is_sent_as_it_is_and_never_shown(source: Source, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = source.url.replace("127.0.0.1", "us%40er:pass%2Fword@127.0.0.1") + "?X-Sig=a%2Fb%3D&t=1#part"
    lines: list[str] = []
    source.faults = [status(503), cut_after(1000)]
    lines.append(fetch(url, SHA, target, QUICK, lines.append))
    assert {path for path, _ in source.asked} == {"/dir/model.mar?X-Sig=a%2Fb%3D&t=1"}
    assert set(source.authorizations) == {"Basic dXNAZXI6cGFzcy93b3Jk"}
    source.content = OTHER
    target.unlink()
    lines.append(sentence(url, target))
    source.faults = [status(503)] * 3
    lines.append(sentence(url, target))
    source.faults = [status(404)]
    lines.append(sentence(url, target))
    source.faults = [status(302, location="ftp://hidden")] * 3
    lines.append(sentence(url, target))
    assert not [line for line in lines for secret in ("Sig", "us%40er", "us@er", "word", "hidden") if secret in line]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host/a.mar", "the url has the scheme 'ftp'; allowed: http, https, s3, gs, az"),
        ("file:///a.mar", "the url has the scheme 'file'; allowed: http, https, s3, gs, az"),
        ("/archives/a.mar", "the url has no scheme; allowed: http, https, s3, gs, az"),
        ("https:///a.mar", "the url names no host; write SCHEME://HOST/PATH/NAME.mar"),
        ("https://host/a b.mar", "the url holds characters that no url has; write a space as %20"),
        ("s3://bucket/a\n.mar", "the url holds characters that no url has; write a space as %20"),
        ("https://host:port/a.mar", "the url is not one (Port could not be cast to integer value as 'port'); write SCHEME://HOST/PATH/NAME.mar"),
        ("s3://bucket", "s3://bucket: names no object; write s3://BUCKET/PATH/NAME.mar"),
        ("s3://bucket//a.mar", "s3://bucket//a.mar: names no object; write s3://BUCKET/PATH/NAME.mar"),
        ("gs://bucket/a.mar?version=1", "gs://bucket/a.mar: names no object; write gs://BUCKET/PATH/NAME.mar"),
        (
            "s3://key:secret@bucket/a.mar",
            "s3://bucket/a.mar: credentials are not read from the url; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL, where it is not Amazon's) instead",
        ),
    ],
)  # fmt: skip
def test_an_url_that_cannot_be_read_is_refused(target: Path, url: str, says: str) -> None:
    assert sentence(url, target) == says


@pytest.mark.parametrize("sha256", ["", "0" * 63, "g" * 64, SHA.upper(), f"sha256:{SHA}", f"{SHA}\n"])
def test_no_digest_is_refused(source: Source, target: Path, sha256: str) -> None:
    assert sentence(source.url, target, sha256) == (
        f"--sha256 {sha256[:80]!r} is no sha256; write the 64 lower-case hex digits of the release"
    )
    assert source.asked == []


def test_a_missing_folder_is_named(source: Source, tmp_path: Path) -> None:
    target = tmp_path / "no" / "model.mar"
    assert sentence(source.url, target) == (
        f"{target}: cannot be written (No such file or directory); "
        f"mount a writable folder with room for it at {target.parent}"
    )
    assert source.asked == []


def test_a_folder_at_the_target_is_named(source: Source, target: Path) -> None:
    target.mkdir()
    with pytest.raises(ServeError, match=r"model\.mar: cannot be written \(Is a directory\)"):
        fetch(source.url, SHA, target, QUICK)


def test_a_volume_that_is_too_small_is_refused_before_a_byte_is_written(
    source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    partial_of(target).write_bytes(CONTENT[:100_000])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 499_999))
    assert sentence(source.url, target) == (
        f"{target.parent}: has 499999 bytes free, 500000 more are needed for {source.url}; give the volume more room"
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 500_000))
    get(source, target)


def test_a_file_that_another_process_has_just_named_is_not_written_to(
    source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = partial_of(target)
    lock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        partial.write_bytes(CONTENT)
        partial.replace(target)
        partial.write_bytes(b"a third one begins")
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ServeError, match="another process downloads to it; wait for it to end"):
        fetch(source.url, SHA, target, QUICK)
    assert target.read_bytes() == CONTENT
    monkeypatch.undo()
    assert "nothing was downloaded" in fetch(source.url, SHA, target, QUICK)


def test_two_at_once_do_not_mix(source: Source, target: Path) -> None:
    partial = partial_of(target)
    partial.touch()
    descriptor = os.open(partial, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        assert sentence(source.url, target) == f"{partial}: another process downloads to it; wait for it to end"
    finally:
        os.close(descriptor)
    get(source, target)
