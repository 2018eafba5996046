"""`marline agent fetch` from an object store: moto's server stands in for S3."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from agent.source import Fault, serving, status
from marline.agent.fetch import Limits, fetch
from marline.errors import ServeError

CONTENT = random.Random(3).randbytes(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
KEY = "sentiment/1.0.0/a b%20+ü.mar"
QUICK = Limits(attempts=2, seconds=30, pause_s=0.01)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint)
    client.create_bucket(Bucket="models")
    client.put_object(Bucket="models", Key=KEY, Body=CONTENT)
    return client


def sentence(url: str, target: Path, limits: Limits = QUICK) -> str:
    with pytest.raises(ServeError) as caught:
        fetch(url, SHA, target, limits)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


def test_an_object_arrives_under_its_name(tmp_path: Path) -> None:
    target = tmp_path / "model.mar"
    said = fetch(f"s3://models/{KEY}", SHA, target, QUICK)
    assert said.startswith(f"{target}: 300000 bytes from s3://models/{KEY} in ")
    assert target.read_bytes() == CONTENT


def test_what_was_kept_is_not_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / f".{SHA}.partial").write_bytes(CONTENT[:299_000])
    assert "(299000 of them kept from before)" in fetch(f"s3://models/{KEY}", SHA, tmp_path / "model.mar", QUICK)


def test_what_is_longer_than_the_object_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / f".{SHA}.partial").write_bytes(CONTENT + b"more")
    fetch(f"s3://models/{KEY}", SHA, tmp_path / "model.mar", QUICK)
    assert (tmp_path / "model.mar").read_bytes() == CONTENT


def test_a_missing_object_and_a_missing_bucket_are_told_apart(tmp_path: Path) -> None:
    target = tmp_path / "model.mar"
    assert sentence("s3://models/no.mar", target) == (
        "s3://models/no.mar: is not there (404 NoSuchKey); put the archive there, or correct the url"
    )
    assert sentence("s3://no-such/a.mar", target) == (
        "s3://no-such/a.mar: is not there (404 NoSuchBucket); put the archive there, or correct the url"
    )


def test_another_object_is_a_wrong_digest(tmp_path: Path, s3: Any) -> None:
    s3.put_object(Bucket="models", Key="other.mar", Body=b"other")
    said = sentence("s3://models/other.mar", tmp_path / "model.mar")
    assert said.startswith(f"s3://models/other.mar: has sha256 {hashlib.sha256(b'other').hexdigest()} (5 bytes), the release says {SHA};")
    assert list(tmp_path.iterdir()) == []


def test_a_signed_address_needs_no_credentials(tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = s3.generate_presigned_url("get_object", {"Bucket": "models", "Key": KEY})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = fetch(url, SHA, tmp_path / "model.mar", QUICK)
    assert "Signature" not in said and "key" not in said


def test_missing_credentials_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the environment has none, so those of a cloud machine are asked for; here nobody answers for it
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    said = sentence(f"s3://models/{KEY}", tmp_path / "model.mar")
    assert "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL, where" in said


@pytest.mark.parametrize(
    "refusal",
    [status(301), status(400, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>")],
    ids=["redirect", "signature"],
)
def test_a_bucket_of_another_region_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Fault) -> None:
    with serving(CONTENT) as store:  # moto knows one region only
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.port}")
        store.faults = [refusal]
        assert sentence(f"s3://models/{KEY}", tmp_path / "model.mar") == (
            f"s3://models/{KEY}: lies in another region; set AWS_REGION to the bucket's own"
        )
        assert len(store.asked) == 1


def test_a_store_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "attempt 2 of 2 without progress, 30 s in all at most): Connection refused" in sentence(
        f"s3://models/{KEY}", tmp_path / "model.mar"
    )
