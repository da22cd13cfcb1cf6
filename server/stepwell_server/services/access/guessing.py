"""Passwords that are tried: so many wrong ones, and then nobody looks at others.

Of a name from an address, so that nobody finds one password by trying many; of an address whatever the names, so that
nobody tries one password with many of them. There is no count of a name alone: everybody could lock its owner out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network

from stepwell_server.errors import ExhaustedError, UnauthenticatedError

# Wrong passwords in WRONG_PASSWORDS_S: for one name from one address, and for all names from one address.
WRONG_PASSWORDS_MAX = 10
WRONG_PASSWORDS_OF_ADDRESS_MAX = 100
WRONG_PASSWORDS_S = 60.0
# Counts that are kept; each takes some 200 bytes, whatever the name. The one that began first is forgotten.
COUNTS_MAX = 20_000
# Somebody who has one address of IPv6 has all of its network.
IPV6_PREFIX_BITS = 64


class Guesses:
    """Counts wrong passwords. One that is looked at counts meanwhile: so many at once are no more than in a row."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, float]] = {}

    def check(self, name: str, address: str) -> None:
        """Raise ExhaustedError after too many."""
        for key, most in _limits(name, address):
            count, until = self._counts.get(key, (0, 0.0))
            left_s = until - time.monotonic()
            if count >= most and left_s > 0:
                raise ExhaustedError(f"too many wrong passwords; try again in {left_s:.0f} s", left_s)

    @contextmanager
    def one(self, name: str, address: str) -> Iterator[None]:
        """Count a password while it is looked at, and after that if the context ends with UnauthenticatedError.

        Raises ExhaustedError after too many.
        """
        self.check(name, address)
        keys = [key for key, _ in _limits(name, address)]
        for key in keys:
            self._add(key, 1)
        try:
            yield
        except UnauthenticatedError:
            raise
        except BaseException:  # nobody has found out whether it is right
            self._take_back(keys)
            raise
        self._take_back(keys)

    def _take_back(self, keys: list[int]) -> None:
        for key in keys:
            self._add(key, -1)

    def _add(self, key: int, change: int) -> None:
        """Change a count, which ends WRONG_PASSWORDS_S after the first."""
        now = time.monotonic()
        count, until = self._counts.pop(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + WRONG_PASSWORDS_S
        while len(self._counts) >= COUNTS_MAX:
            del self._counts[next(iter(self._counts))]
        if count + change > 0:
            self._counts[key] = (count + change, until)


def _limits(name: str, address: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return what is counted, by hashes (of a random key, as all of texts are here), and the limit of each."""
    place = network_of(address)
    return (hash((name, place)), WRONG_PASSWORDS_MAX), (hash(place), WRONG_PASSWORDS_OF_ADDRESS_MAX)


def network_of(address: str) -> str:
    """Return what one caller has for sure: an address of IPv4, or the network of one of IPv6."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ip_network((found, IPV6_PREFIX_BITS), strict=False))
