"""A set of certificates for trying: an authority of one's own, and what it signs for a server and a client.

ca.pem               what clients trust                             ca-key.pem
server.pem           what the server shows, for names and addresses server-key.pem
client.pem           what a client shows, where the server asks     client-key.pem

Keys are readable by their owner alone. An authority that is there stays, so that clients go on trusting it; the rest is
made anew.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell_server.errors import InvalidArgumentError, InvalidStateError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CA_DAYS = 3_650
# Browsers take no certificate that is valid for longer.
DAYS_MAX = 397
# Clocks of machines differ.
EARLIER = timedelta(hours=1)
# Modes of files: of keys, and of certificates.
SECRET, PUBLIC = 0o600, 0o644
ORGANIZATION = "Stepwell, for trying"

_NAME = re.compile(
    r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE
)


def own_hosts() -> list[str]:
    """Return the names and addresses by which this machine reaches itself."""
    name = socket.gethostname()
    return ["localhost", "127.0.0.1", "::1", *([name] if _NAME.fullmatch(name) else [])]


def make(folder: Path, hosts: Sequence[str], days: float) -> bool:
    """Write the files into a folder, which is made if it is not there; tells whether the authority was there.

    `hosts` are DNS names and addresses of the server.

    Raises:
        InvalidArgumentError: a host is neither.
        InvalidStateError: half of an authority is there, or something that is none.
    """
    named = [_general_name(host) for host in dict.fromkeys(hosts)]
    folder.mkdir(parents=True, exist_ok=True)
    found = _authority(folder)
    ca, ca_key = found or _new_authority(folder)
    for name, purpose, alternatives in (("server", "SERVER_AUTH", named), ("client", "CLIENT_AUTH", [])):
        key = _new_key()
        _write(folder / f"{name}-key.pem", _pem(key), SECRET)
        _write(folder / f"{name}.pem", _signed(name, key, ca, ca_key, purpose, alternatives, days), PUBLIC)
    return found is not None


def _authority(folder: Path) -> tuple[x509.Certificate, EllipticCurvePrivateKey] | None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate, key = folder / "ca.pem", folder / "ca-key.pem"
    if not certificate.exists() and not key.exists():
        return None
    try:
        ca = x509.load_pem_x509_certificate(certificate.read_bytes())
        ca_key = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(ca_key, EllipticCurvePrivateKey) or ca_key.public_key() != ca.public_key():
            raise ValueError
    except (OSError, ValueError, TypeError):
        raise InvalidStateError(
            f"{certificate} and {key} are no authority that `stepwell certificates make` made; name another --out"
        ) from None
    return ca, ca_key


def _new_authority(folder: Path) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = _new_key()
    name = _subject("authority")
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    ca = (
        _builder(name, name, key, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    _write(folder / "ca-key.pem", _pem(key), SECRET)
    _write(folder / "ca.pem", ca.public_bytes(Encoding.PEM), PUBLIC)
    return ca, key


def _signed(
    name: str,
    key: EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: EllipticCurvePrivateKey,
    purpose: str,
    alternatives: Sequence[x509.GeneralName],
    days: float,
) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID

    builder = (
        _builder(_subject(name), ca.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, purpose)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(ca_key, SHA256()).public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: float
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _subject(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    pairs = ((NameOID.ORGANIZATION_NAME, ORGANIZATION), (NameOID.COMMON_NAME, name))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host.strip("[]")))
    except ValueError:
        pass
    if not _NAME.fullmatch(host):
        raise InvalidArgumentError(
            f"{host!r} is no name or address of a server; it has to be like tracker.example.org or 10.0.0.7, "
            "without https:// and without a port"
        )
    return x509.DNSName(host.lower())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all: a server may be looking at it."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
    Path(name).replace(path)
