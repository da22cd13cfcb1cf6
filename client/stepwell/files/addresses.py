"""Which addresses this client sends bytes to, or fetches them from, when a server names them.

A server may name any: then a hostile one would let its clients knock at machines that only they can reach. So the
host of an address has to be one that somebody on this side has named, or one that can only be a cloud's store:

* the tracking server itself, as its URI names it;
* what STEPWELL_ARTIFACT_HOSTS names, or the client's own AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or
  STORAGE_EMULATOR_HOST;
* over https, the hosts of Amazon's S3 (s3.<region>.amazonaws.com, <bucket>.s3.<region>.amazonaws.com), of Azure's Blob
  Storage (<account>.blob.core.windows.net and those of its other clouds), and storage.googleapis.com.

What the server announces is not asked: it is the server's word again.
"""

import os
import re
from urllib.parse import SplitResult, urlsplit

from stepwell import settings
from stepwell.files import options

_PORTS = {"http": 80, "https": 443}
_CLOUDS = re.compile(
    r"([a-z0-9.-]+\.)?s3([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?"
    r"|[a-z0-9-]+\.blob\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)"
    r"|([a-z0-9._-]+\.)?storage\.googleapis\.com"
)
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST")


def is_trusted(url: str, tracking_uri: str) -> bool:
    """Tell whether an address that a server has named may be used."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), _port(parts)
    except ValueError:
        return False
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        return False
    if parts.scheme == "https" and port == _PORTS["https"] and _CLOUDS.fullmatch(host):
        return True
    return f"{host}:{port}" in _named(tracking_uri) or is_named(parts)


def is_named(parts: SplitResult) -> bool:
    """Tell whether STEPWELL_ARTIFACT_HOSTS has the host of an address."""
    host, port = (parts.hostname or "").lower(), _port(parts)
    return any(_matches(host, port, pattern) for pattern in options.artifact_hosts())


def _named(tracking_uri: str) -> set[str]:
    """Hosts with ports of what this side's configuration names by addresses."""
    server = settings.parse_uri(tracking_uri)
    urls = [
        *(place.page for place in server.places),
        *(os.environ.get(name, "") for name in _ENDPOINT_VARIABLES),
    ]
    found = {place.target.lower() for place in server.places}
    for parts in map(urlsplit, filter(None, urls)):
        if parts.hostname:
            found.add(f"{parts.hostname.lower()}:{_port(parts)}")
    return found


def _matches(host: str, port: int | None, pattern: str) -> bool:
    """`*.example.org` means all hosts below; without a port any port is meant."""
    name, colon, number = pattern.rpartition(":")
    if colon and number.isdigit():
        pattern = name
        if int(number) != port:
            return False
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern.strip("[]")


def _port(parts: SplitResult) -> int | None:
    return parts.port or _PORTS.get(parts.scheme)
