"""Networks as people write them (CIDR); the command line reads them, too, so nothing of HTTP is imported here."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network


def networks_of(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return networks. Raises ValueError, whose text names what is none."""
    return tuple(ip_network(text.strip()) for text in texts)
