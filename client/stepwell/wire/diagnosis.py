"""Why a server cannot be reached, for the message: gRPC only says that it cannot."""

import asyncio
import socket
import ssl

from stepwell import settings
from stepwell.settings import Address
from stepwell.wire.door import NoDoorError, ask

# How long a connection for the diagnosis may take.
PROBE_TIMEOUT_S = 2.0
# How long a look takes at a server that was away a moment ago: a round trip to the other side of the earth.
KNOCK_TIMEOUT_S = 0.5


async def listens(address: Address) -> bool:
    """Tell whether anybody takes connections there, within KNOCK_TIMEOUT_S."""
    host, _, port = address.target.rpartition(":")
    try:
        async with asyncio.timeout(KNOCK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    except RuntimeError:  # the interpreter ends, and looks up no names any more
        return False
    writer.close()
    return True


async def why_unreachable(address: Address) -> str:
    """Try to connect by hand, and return what is wrong, as the end of a sentence."""
    host, _, port = address.target.rpartition(":")
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=_tls() if address.secure else None
            )
            writer.close()
    except TimeoutError:
        return "nobody answers there; a firewall, perhaps"
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not trusted ({error.verify_message}); STEPWELL_TLS_ROOTS names a PEM file of those "
            "to trust"
        )
    except ssl.SSLError:
        return f"what listens there does not speak TLS; without it the address is grpc://{address.target}"
    except socket.gaierror:
        return f"the name {host!r} is not known"
    except ConnectionRefusedError:
        return "nothing listens there"
    except OSError as error:
        return str(error.strerror or error)
    if await _is_http(address):
        return f"that is its HTTP port; the address is http://{address.target}"
    if address.secure:
        return "what listens there speaks TLS, but it is no Stepwell server"
    return (
        "what listens there is no Stepwell server, is just starting, or wants TLS; then the address is "
        f"grpcs://{address.target}"
    )


async def _is_http(address: Address) -> bool:
    try:
        await ask(f"http://{address.target}", PROBE_TIMEOUT_S)
    except NoDoorError:
        return False
    return True


def _tls() -> ssl.SSLContext:
    roots = settings.tls_roots()
    context = ssl.create_default_context(cadata=roots.decode("ascii") if roots else None)
    context.set_alpn_protocols(["h2"])
    return context
