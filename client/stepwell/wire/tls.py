"""TLS to a server: whom this client believes, and what it shows of itself. Files are read for each connection anew."""

import asyncio
import ssl
import time
from logging import getLogger
from pathlib import Path

from stepwell import settings
from stepwell.addresses import Address
from stepwell.errors import invalid
from stepwell.settings import NamedFile

# How long a connection that is made to learn something may take.
PROBE_TIMEOUT_S = 2.0
AGAIN_S = 0.2
# gRPC speaks HTTP/2; our HTTP is HTTP/1.1.
GRPC, HTTP = "h2", "http/1.1"
_CA = "STEPWELL_TLS_CA"
# Of a certificate, OpenSSL's numbers for what is wrong with it.
_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_NAME = (62, 64)
# OpenSSL's words for what the other side says, and ours.
_ALERTS = {
    "CERTIFICATE_REQUIRED": "",
    "UNKNOWN_CA": "it is of an authority that the server does not know",
    "CERTIFICATE_EXPIRED": "it has expired",
    "CERTIFICATE_REVOKED": "it was revoked",
    "BAD_CERTIFICATE": "it is not valid",
    "UNSUPPORTED_CERTIFICATE": "it is of a kind that the server does not take",
    "CERTIFICATE_UNKNOWN": "it is not accepted",
    "ACCESS_DENIED": "it is not accepted",
    "HANDSHAKE_FAILURE": "it is not accepted",
}

_log = getLogger("stepwell")
_said_insecure = False


def context(protocol: str = HTTP) -> ssl.SSLContext:
    """Return what speaks with the tracking server.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when a file that a variable names cannot be used.
    """
    made = _believing()
    made.set_alpn_protocols([protocol])
    if settings.tls_insecure():
        _say_insecure()
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    client = settings.tls_client()
    if client is not None:
        _show(made, *client)
    return made


def context_for_others() -> ssl.SSLContext:
    """Return what speaks with buckets and the web: the authority of the server is trusted beside all others there."""
    made = ssl.create_default_context()
    for ca in (settings.tls_ca(), settings.bucket_ca()):
        if ca is not None:
            _trust(made, ca)
    return made


async def channel_roots(address: Address, timeout_s: float) -> tuple[bytes | None, str]:
    """Return what a channel to a server trusts, as PEM, None for gRPC's own, and the name to ask for, "" for the host.

    gRPC believes no server without a reason. Where any is to be believed, the one that answers is the reason: raises
    OSError when none does within `timeout_s`. Otherwise raises as `context`.
    """
    if not settings.tls_insecure():
        _believing()
        ca = settings.tls_ca()
        return (None if ca is None else read(ca)), ""
    _say_insecure()
    shown = ssl.DER_cert_to_PEM_cert(await _certificate_shown(address, timeout_s))
    names = await names_shown(address, shown)
    return shown.encode(), names[0] if names else ""


def client_pair() -> tuple[bytes | None, bytes | None]:
    """Return this client's key and certificate as PEM, None for both where it has none; raises as `context`."""
    client = settings.tls_client()
    if client is None:
        return None, None
    _show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), *client)  # says what is wrong, which gRPC does not
    return read(client[1]), read(client[0])


def read(file: NamedFile) -> bytes:
    """Read a file. Raises StepwellException, INVALID_PARAMETER_VALUE, when that cannot be done."""
    try:
        return Path(file.path).read_bytes()
    except OSError as error:
        raise invalid(f"{file.variable} is {file.path!r}, which cannot be read: {error.strerror}.") from None


async def why_untrusted(error: ssl.SSLCertVerificationError, address: Address) -> str:
    """Say why the certificate of a server is not believed, and what to do, as the end of a sentence."""
    if error.verify_code == _EXPIRED:
        return "its certificate has expired; whoever runs it has to renew it (or the clock of this machine is wrong)"
    if error.verify_code == _NOT_YET_VALID:
        return "its certificate is not valid yet; look at the clocks of both machines"
    if error.verify_code in _WRONG_NAME:
        host = address.target.rpartition(":")[0].strip("[]")
        names = ", ".join(await names_shown(address))
        instead = f" but for {names}" if names else ""
        return f"its certificate is not for {host!r}{instead}; name the server as its certificate does"
    ca = settings.tls_ca()
    known = f"{ca.path!r}, which {ca.variable} names, has another" if ca else ""
    how = "" if ca and ca.variable == _CA else f"{_CA} names the PEM file of those to trust"
    named = "; ".join(filter(None, (known, how)))
    return f"its certificate is signed by an authority that is not trusted here ({error.verify_message}); {named}"


def why_refused(error: ssl.SSLError) -> str | None:
    """Say why a server refuses this client's certificate, as the end of a sentence; None if it did not say that."""
    reason = error.reason or ""
    found = next((words for alert, words in _ALERTS.items() if reason.endswith(f"ALERT_{alert}")), None)
    return None if found is None else _refused(found)


def _refused(why: str) -> str:
    client = settings.tls_client()
    if client is None:
        return (
            "it wants a certificate of its clients; STEPWELL_TLS_CLIENT_CERT and STEPWELL_TLS_CLIENT_KEY name the PEM "
            "files of one"
        )
    shown = client[0]
    return f"it refuses the certificate {shown.path!r}, which {shown.variable} names: {why or 'it wants another'}"


async def refusal(address: Address, protocol: str) -> str | None:
    """Say why a server refuses this client, if it does: after the greeting, in which both are content.

    By a connection that says nothing: of one that has said something, the end may come before the reason. Servers that
    are made with asyncio give none, and hang up.
    """
    try:
        reader, writer = await _connect(address, context(protocol))
    except (OSError, EOFError):
        return None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            heard = await reader.read(1)
            agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol() == protocol
            return _refused("") if agreed and not heard else None
    except ssl.SSLError as error:
        return why_refused(error)
    except OSError:
        pass
    finally:
        writer.transport.abort()
    return None


async def spoken(address: Address) -> str | None:
    """Return the protocol that is spoken in TLS at an address; "" for another one, None without TLS."""
    asking = _unchecked()
    asking.set_alpn_protocols([HTTP, GRPC])
    try:
        _, writer = await _connect(address, asking)
    except ssl.SSLError as error:
        return "" if why_refused(error) else None
    except (OSError, EOFError):
        return None
    found = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.transport.abort()
    return found or ""


async def names_shown(address: Address, trusted: str | None = None) -> list[str]:
    """Return for which names the certificate of a server is; none when that cannot be learned."""
    asking = _believing()
    if trusted is not None:
        asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        asking.load_verify_locations(cadata=trusted)
    asking.check_hostname = False
    asking.set_alpn_protocols([HTTP, GRPC])
    try:
        _, writer = await _connect(address, asking)
    except (OSError, EOFError):
        return []
    found = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    return [str(name) for _, name in found.get("subjectAltName", ())]


async def _certificate_shown(address: Address, timeout_s: float) -> bytes:
    asking = _unchecked()
    asking.set_alpn_protocols([GRPC])
    end = time.monotonic() + timeout_s
    while True:
        try:
            _, writer = await _connect(address, asking)
            break
        except OSError:
            if time.monotonic() >= end:
                raise
        await asyncio.sleep(AGAIN_S)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return shown


async def _connect(
    address: Address, asking: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.target.rpartition(":")
    async with asyncio.timeout(PROBE_TIMEOUT_S):  # TimeoutError is an OSError
        return await asyncio.open_connection(host.strip("[]"), int(port), ssl=asking)


def _unchecked() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _believing() -> ssl.SSLContext:
    ca = settings.tls_ca()
    if ca is None:
        return ssl.create_default_context()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as gRPC does
    _trust(made, ca)
    return made


def _trust(made: ssl.SSLContext, ca: NamedFile) -> None:
    try:
        made.load_verify_locations(cadata=read(ca).decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        raise invalid(
            f"{ca.variable} is {ca.path!r}, in which there is no certificate in PEM form."
        ) from None


def _show(made: ssl.SSLContext, certificate: NamedFile, key: NamedFile) -> None:
    for file in (certificate, key):
        read(file)
    try:
        made.load_cert_chain(certificate.path, key.path, password=lambda: "")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        raise invalid(
            f"{key.variable} is {key.path!r}, which is not the key of the certificate in {certificate.path!r}."
            if mismatch
            else f"{certificate.variable} is {certificate.path!r} with the key in {key.path!r}; they have to be in PEM "
            "form, without a password."
        ) from None


def _say_insecure() -> None:
    global _said_insecure
    if not _said_insecure:
        _said_insecure = True
        _log.warning("Any server is believed, as STEPWELL_TLS_INSECURE or MLFLOW_TRACKING_INSECURE_TLS says.")
