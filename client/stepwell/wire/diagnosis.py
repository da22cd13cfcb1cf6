"""Why a server cannot be reached, for the message: gRPC only says that it cannot."""

import asyncio
import socket
import ssl

from stepwell.addresses import Address
from stepwell.wire import tls
from stepwell.wire.door import NEXT_ADDRESS_S, NoDoorError, ask

# How long a connection for the diagnosis may take.
PROBE_TIMEOUT_S = 2.0
# How long a look takes at a server that was away a moment ago: a round trip to the other side of the earth.
KNOCK_TIMEOUT_S = 0.5


async def listens(address: Address) -> bool:
    """Tell whether anybody takes connections there, within KNOCK_TIMEOUT_S."""
    host, _, port = address.target.rpartition(":")
    try:
        async with asyncio.timeout(KNOCK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), happy_eyeballs_delay=NEXT_ADDRESS_S
            )
    except (OSError, TimeoutError):
        return False
    except RuntimeError:  # the interpreter ends, and looks up no names any more
        return False
    writer.close()
    return True


async def why_unreachable(address: Address) -> str:
    """Try to connect by hand, and return what is wrong, as the end of a sentence."""
    host, _, port = address.target.rpartition(":")
    secure = tls.context(tls.GRPC) if address.secure else None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=secure)
        writer.transport.abort()
    except TimeoutError:
        return "nobody answers there; a firewall, perhaps"
    except ssl.SSLCertVerificationError as error:
        return await tls.why_untrusted(error, address)
    except ssl.SSLError as error:
        return tls.why_refused(error) or _plain(address)
    except socket.gaierror:
        return f"the name {host!r} is not known"
    except ConnectionRefusedError:
        return "nothing listens there"
    except OSError as error:
        if secure is not None and isinstance(error, ConnectionError):
            return _plain(address)
        return str(error.strerror or error)
    scheme = "https" if address.secure else "http"
    refused = await tls.refusal(address, tls.GRPC) if address.secure else None
    if refused is not None:
        return refused
    if await _is_http(f"{scheme}://{address.target}"):
        return f"that is its HTTP port; the address is {scheme}://{address.target}"
    if address.secure:
        return "what listens there speaks TLS, but it is no Stepwell server"
    return await _spoken(address)


def _plain(address: Address) -> str:
    return f"what listens there does not speak TLS; without it the address is grpc://{address.target}"


async def _spoken(address: Address) -> str:
    spoken = await tls.spoken(address)
    if spoken is None:
        return "what listens there is no Stepwell server, or is just starting"
    scheme = "https" if spoken == tls.HTTP else "grpcs"
    return f"what listens there speaks TLS; the address is {scheme}://{address.target}"


async def _is_http(page: str) -> bool:
    try:
        await ask(page, PROBE_TIMEOUT_S)
    except NoDoorError:
        return False
    return True
