"""Where servers are: tracking URIs taken apart."""

from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import urlsplit

# What a URI without a port means; as in browsers for those of HTTP.
DEFAULT_PORTS = {"grpc": 50051, "grpcs": 50051, "http": 80, "https": 443}
# Servers that one URI names.
PLACES_MAX = 16
FORMS = "Use http://HOST:PORT or https://HOST, which `stepwell server` prints, or grpc://HOST:PORT."


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: `target` is host:port as gRPC wants it.

    Of an HTTP address, `page` is what its paths are added to; it says where gRPC is.
    """

    target: str
    secure: bool
    page: str = ""
    # Where else, if the URI names several.
    others: "tuple[Address, ...]" = ()

    @property
    def places(self) -> "tuple[Address, ...]":
        """All that the URI names, each alone."""
        return (replace(self, others=()), *self.others)

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join(place.page or place.target for place in self.places)


@lru_cache(64)
def parse_address(uri: str) -> Address:
    """Take a tracking URI apart; one with commas names several servers of the same database.

    Raises:
        ValueError: it is no http://, https://, grpc:// or grpcs:// URI; says why, and FORMS what would be right.
    """
    first, *others = [_parse_place(each) for each in separated(uri)]
    if len({first, *others}) <= len(others):
        raise ValueError("it names the same server twice.")
    return replace(first, others=tuple(others))


def separated(uri: str) -> list[str]:
    """Return the URI of each server that one names: grpc://a:1,b:2 is grpc://a:1 and grpc://b:2."""
    scheme, separator, rest = uri.partition("://")
    hosts, slash, path = rest.partition("/")
    if "," not in rest or scheme not in DEFAULT_PORTS:
        return [uri]
    if "://" in rest:
        raise ValueError(f"the scheme stands once, as in {scheme}://a:1,b:2.")
    if "," in path:
        raise ValueError("several hosts stand before the path, as in http://a:1,b:2/path.")
    each = [host.strip() for host in hosts.split(",")]
    if "" in each:
        raise ValueError("a host is missing beside a comma.")
    if len(each) > PLACES_MAX:
        raise ValueError(f"it names {len(each)} servers; name at most {PLACES_MAX}.")
    return [f"{scheme}{separator}{host}{slash}{path}" for host in each]


def _parse_place(uri: str) -> Address:
    parts = urlsplit(uri)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("it names no Stepwell server.")
    over_http = parts.scheme.startswith("http")
    path = parts.path.rstrip("/")
    if (path and not over_http) or parts.query or parts.fragment or parts.username:
        raise ValueError("nothing may follow the port or stand before the host.")
    target = _target(uri)
    page = f"{parts.scheme}://{parts.netloc}{path}" if over_http else ""
    return Address(target, parts.scheme in ("grpcs", "https"), page)


def _target(uri: str) -> str:
    parts = urlsplit(uri)
    try:
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise ValueError("the port is not a number from 1 to 65535.") from None
    if not parts.hostname:
        raise ValueError("the host is missing.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"
