"""`marline agent fetch` over TLS: only a trusted certificate, and the reason when it is not."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.source import Source, serving
from marline.agent.fetch import Limits, fetch
from marline.errors import ServeError

CONTENT = b"an archive"
SHA = hashlib.sha256(CONTENT).hexdigest()
QUICK = Limits(attempts=2, seconds=30, pause_s=0.01)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "store.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def source(pem: Path) -> Iterator[Source]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving(CONTENT, tls=context) as source:
        yield source


def test_a_certificate_of_an_authority_that_is_named_is_trusted(
    source: Source, pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    fetch(source.url, SHA, tmp_path / "model.mar", QUICK)
    assert (tmp_path / "model.mar").read_bytes() == CONTENT


def test_a_certificate_of_nobody_is_not(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ServeError) as caught:
        fetch(source.url, SHA, tmp_path / "model.mar", QUICK)
    assert str(caught.value) == (
        f"{source.url}: its certificate is not trusted (UnknownIssuer); name the file of its authority in SSL_CERT_FILE"
    )


def test_a_machine_without_authorities_is_named(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nothing")
    monkeypatch.setenv("SSL_CERT_DIR", "/nothing")
    with pytest.raises(ServeError, match="is not trusted .no authorities are known here.; name the file"):
        fetch(source.url, SHA, tmp_path / "model.mar", QUICK)
