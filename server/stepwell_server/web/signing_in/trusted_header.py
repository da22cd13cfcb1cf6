"""What a proxy in front of the server vouches for, in headers: who the user is, and from where the request comes.

Anybody can send a header, so it counts only from the addresses of the proxies. From others it is ignored, and told once
an address in the log: either a proxy is missing from the list, or somebody tries.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import HTTPConnection

from stepwell_server.process.logger import get_logger
from stepwell_server.web.errors import RefusedError
from stepwell_server.web.signing_in.networks import networks_of

# Of addresses that sent the header without being trusted, so many are remembered; then they are told anew.
ADDRESSES_TOLD_MAX = 1_000
# Where proxies say from where a request came to them, each behind those before; so many of the last are looked at.
FORWARDED_FOR = "x-forwarded-for"
FORWARDED_MAX = 20

log = get_logger(__name__)


class Proxies:
    """Proxies in some networks (CIDR), who are believed in what they say of those who ask them."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = networks_of(networks)

    def __contains__(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def origin_of(self, connection: HTTPConnection) -> str:
        """Return the address from which a request comes: the last one that no proxy of ours has, as they tell it."""
        origin = connection.client.host if connection.client else ""
        told = ",".join(connection.headers.getlist(FORWARDED_FOR)).split(",")[-FORWARDED_MAX:]
        for address in reversed(told):
            if origin not in self or _parsed(address.strip()) is None:
                break
            origin = address.strip()
        return origin


class ProxiedUsers:
    """Reads the header of a name from proxies."""

    def __init__(self, name: str, proxies: Proxies) -> None:
        self._name = name.lower()
        self._proxies = proxies
        self._told: set[str] = set()

    def name_of(self, connection: HTTPConnection) -> str:
        """Return the user that a trusted proxy names, "" for none. Raises RefusedError when it names several."""
        named = connection.headers.getlist(self._name)
        if not named:
            return ""
        address = connection.client.host if connection.client else ""
        if address not in self._proxies:
            self._tell(address)
            return ""
        if len(named) > 1:
            raise RefusedError(
                400, f"the header {self._name} is there {len(named)} times; a proxy sets it once"
            )
        return named[0].strip()

    def _tell(self, address: str) -> None:
        if address in self._told:
            return
        if len(self._told) >= ADDRESSES_TOLD_MAX:
            self._told.clear()
        self._told.add(address)
        log.warning("a user's name came from an address that is no trusted proxy; ignored", address=address)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address; IPv4 may come in the clothes of IPv6, where a socket takes both kinds."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
