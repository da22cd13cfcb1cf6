"""The PEM files of a server, read and checked before anything is served with them: one clear line for each mistake."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell_server.config import TlsFiles, is_address
from stepwell_server.errors import StartupError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# Of one file: some hundred times of what a chain of certificates has.
FILE_BYTES_MAX = 2**20
# What a browser, which offers both, is to choose goes first; gRPC offers the second one alone.
HTTP_PROTOCOLS = ("http/1.1", "h2")
_OTHERS = 0o007


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was read: PEM for gRPC, a context for HTTP, and what people want to know. `names` are DNS names and IPs."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext
    names: tuple[str, ...]
    expires: datetime

    def covers(self, host: str) -> bool:
        """Tell whether clients that ask for a host believe this certificate."""
        host = host.strip("[]").lower()
        below = f"*.{host.partition('.')[2]}"
        return host in self.names or (not is_address(host) and below in self.names)


def load(files: TlsFiles) -> Certificate:
    """Read the files and check what can be checked.

    Raises:
        StartupError: what is wrong with which file, and what would be right.
    """
    _require_cryptography()
    chain, key = _read("--tls-cert", files.certificate), _read("--tls-key", files.key)
    client_ca = None if files.client_ca is None else _read("--tls-client-ca", files.client_ca)
    own = _certificates("--tls-cert", files.certificate, chain)[0]
    if client_ca is not None and files.client_ca is not None:
        _certificates("--tls-client-ca", files.client_ca, client_ca)
    _check_key(files, key, own)
    _check_times(files, own)
    context = _context(files, client_ca)
    if (chain, key) != (_read("--tls-cert", files.certificate), _read("--tls-key", files.key)):
        raise StartupError("the files of --tls-cert and --tls-key changed while they were read")
    return Certificate(chain, key, client_ca, context, _names(own), own.not_valid_after_utc)


def _require_cryptography() -> None:
    try:
        import_module("cryptography")
    except ModuleNotFoundError:
        raise StartupError(
            "--tls-cert needs cryptography, which is not installed: pip install 'stepwell[server]'"
        ) from None


def _read(option: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            found = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise StartupError(f"{option} {path} cannot be read: {error.strerror or error}") from None
    if len(found) > FILE_BYTES_MAX:
        raise StartupError(f"{option} {path} has more than {FILE_BYTES_MAX:,} bytes, which no PEM file has")
    return found


def _certificates(option: str, path: str, pem: bytes) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise StartupError(
            f"{option} {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        ) from None


def _check_key(files: TlsFiles, pem: bytes, own: x509.Certificate) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = _private_key(files.key, pem)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise StartupError(f"--tls-key {files.key} has to be a key of RSA or of an elliptic curve, for gRPC")
    if key.public_key() != own.public_key():
        raise StartupError(
            f"--tls-key {files.key} is not the key of the certificate that comes first in --tls-cert "
            f"{files.certificate}"
        )
    mode = Path(files.key).stat().st_mode & 0o777
    if mode & _OTHERS:
        raise StartupError(
            f"--tls-key {files.key} can be read by everybody on this machine (mode {mode:o}): "
            f"chmod 600 {files.key}"
        )


def _private_key(path: str, pem: bytes) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, None)
    except TypeError:
        raise StartupError(
            f"--tls-key {path} is encrypted with a password, which nobody can type when the server starts: "
            f"openssl pkey -in {path} writes it without"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise StartupError(
            f"--tls-key {path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
        ) from None


def _check_times(files: TlsFiles, own: x509.Certificate) -> None:
    now = datetime.now(UTC)
    if now > own.not_valid_after_utc:
        raise StartupError(
            f"the certificate in --tls-cert {files.certificate} expired at {own.not_valid_after_utc:%Y-%m-%d %H:%M} "
            "UTC; get a new one"
        )
    if now < own.not_valid_before_utc:
        raise StartupError(
            f"the certificate in --tls-cert {files.certificate} is valid from "
            f"{own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on; look at this machine's clock"
        )


def _context(files: TlsFiles, client_ca: bytes | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(HTTP_PROTOCOLS)
    try:
        context.load_cert_chain(files.certificate, files.key)
        if client_ca is not None:
            context.load_verify_locations(cadata=client_ca.decode("ascii", "replace"))
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise StartupError(
            f"--tls-cert {files.certificate} and --tls-key {files.key} cannot be used: {error}"
        ) from None
    return context


def _names(own: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        named = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    addresses = named.get_values_for_type(x509.IPAddress)
    return (*(name.lower() for name in named.get_values_for_type(x509.DNSName)), *map(str, addresses))
