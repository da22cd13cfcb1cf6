"""The name of a user that a proxy in front of the server vouches for, in a header.

Anybody can send a header, so it counts only from the addresses of the proxies. From others it is ignored, and told once
an address in the log: either a proxy is missing from the list, or somebody tries.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

from stepwell_server.process.logger import get_logger
from stepwell_server.web.errors import RefusedError

# Of addresses that sent the header without being trusted, so many are remembered; then they are told anew.
ADDRESSES_TOLD_MAX = 1_000

log = get_logger(__name__)


class ProxiedUsers:
    """Reads the header of a name from proxies in some networks (CIDR)."""

    def __init__(self, name: str, proxies: Sequence[str]) -> None:
        self._name = name.lower()
        self._networks = networks_of(proxies)
        self._told: set[str] = set()

    def name_of(self, connection: HTTPConnection) -> str:
        """Return the user that a trusted proxy names, "" for none. Raises RefusedError when it names several."""
        named = connection.headers.getlist(self._name)
        if not named:
            return ""
        address = connection.client.host if connection.client else ""
        if not self._is_trusted(address):
            self._tell(address)
            return ""
        if len(named) > 1:
            raise RefusedError(
                400, f"the header {self._name} is there {len(named)} times; a proxy sets it once"
            )
        return named[0].strip()

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        # Where a socket takes both kinds, IPv4 comes in the clothes of IPv6.
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    def _tell(self, address: str) -> None:
        if address in self._told:
            return
        if len(self._told) >= ADDRESSES_TOLD_MAX:
            self._told.clear()
        self._told.add(address)
        log.warning("a user's name came from an address that is no trusted proxy; ignored", address=address)


def networks_of(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return networks. Raises ValueError, whose text names what is none."""
    return tuple(ip_network(text.strip()) for text in texts)
