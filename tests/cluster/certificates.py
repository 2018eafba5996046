"""The cluster's two authorities, its certificates and its kubeconfigs.

A user's name is the certificate's common name, the groups are its organizations. The aggregation layer
has an authority of its own: whoever holds a certificate of it may speak in another user's name, so no
certificate of the first authority may pass for one.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.settings import Settings

LIFETIME = datetime.timedelta(days=365)
CLOCK_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def crt(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pem(self) -> bytes:
        """The private key in PEM."""
        return private(self.key)


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key in PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def alternative(host: str) -> x509.GeneralName:
    """A host as a certificate names it: an address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def issue(
    name: str, issuer: Pair | None, *, groups: Sequence[str] = (), hosts: Sequence[str] = (), client: bool = False
) -> Pair:
    """A certificate for ``name``.

    Args:
        name: the common name: the user, for a client.
        issuer: the authority that signs; None makes an authority.
        groups: the user's groups.
        hosts: the addresses and DNS names of a server; with any, it may serve.
        client: it may be shown to a server.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signer = issuer.key if issuer else key
    now = datetime.datetime.now(datetime.UTC)
    draft = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(key_usage(authority=issuer is None), critical=True)
    )
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH] if hosts else []
    purposes += [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
    if purposes:
        draft = draft.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if hosts:
        draft = draft.add_extension(x509.SubjectAlternativeName([alternative(host) for host in hosts]), critical=False)
    return Pair(draft.sign(signer, hashes.SHA256()), key)


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """An authority signs certificates; everyone signs handshakes."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def kubeconfig(settings: Settings, authority: Pair, user: Pair) -> bytes:
    """How one user reaches the API server; JSON, which is YAML."""
    encoded = {
        name: base64.b64encode(data).decode()
        for name, data in (("ca", authority.crt), ("crt", user.crt), ("key", user.pem))
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "node",
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": "user"}}],
        "clusters": [
            {"name": "node", "cluster": {"server": settings.api, "certificate-authority-data": encoded["ca"]}}
        ],
        "users": [
            {"name": "user", "user": {"client-certificate-data": encoded["crt"], "client-key-data": encoded["key"]}}
        ],
    }
    return json.dumps(document, indent=1).encode()


def write(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def write_all(settings: Settings) -> None:
    """Make everything anew: ``pki/*.crt`` and ``*.key``, ``conf/*.kubeconfig``, the administrator's kubeconfig."""
    authority = issue("cluster-authority", None)
    front_authority = issue("front-proxy-authority", None)
    service_names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    node = settings.node_name
    pairs = {
        "ca": authority,
        "front-proxy-ca": front_authority,
        "front-proxy-client": issue("front-proxy-client", front_authority, client=True),
        "apiserver": issue("kube-apiserver", authority, hosts=[*service_names, settings.node_ip, settings.service_ip]),
        "apiserver-kubelet": issue("kube-apiserver-kubelet-client", authority, groups=["system:masters"], client=True),
        "kubelet": issue(
            f"system:node:{node}", authority, groups=["system:nodes"], hosts=[node, settings.node_ip], client=True
        ),
    }
    for name, pair in pairs.items():
        write(settings.pki / f"{name}.crt", pair.crt)
        write(settings.pki / f"{name}.key", pair.pem)
    users = {
        "controller-manager": issue("system:kube-controller-manager", authority, client=True),
        "scheduler": issue("system:kube-scheduler", authority, client=True),
        "proxy": issue("system:kube-proxy", authority, client=True),
        "kubelet": pairs["kubelet"],
    }
    for name, user in users.items():
        write(settings.conf / f"{name}.kubeconfig", kubeconfig(settings, authority, user))
    tokens = ec.generate_private_key(ec.SECP256R1())
    write(settings.pki / "tokens.key", private(tokens))
    write(
        settings.pki / "tokens.pub",
        tokens.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )
    administrator = issue("administrator", authority, groups=["system:masters"], client=True)
    write(settings.kubeconfig, kubeconfig(settings, authority, administrator))
