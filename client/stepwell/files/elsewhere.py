"""Files that lie outside of Stepwell, at addresses that a user names: https://, http://, s3://, gs:// and az://.

Credentials come by each cloud's usual means. Addresses that a server or a registry names are none of these: they are
fetched by `downloads` alone.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from stepwell.errors import StepwellException, invalid
from stepwell.files import paths, uris

SCHEMES = ("http", "https", *uris.BUCKET_SCHEMES)
# Objects below a prefix that are fetched; of more, a part would be what is meant.
OBJECTS_MAX = 100_000


class Objects(Protocol):
    """The objects of one bucket."""

    def pieces(self, key: str) -> Iterator[bytes] | None:
        """Return an object in pieces; None if there is none of this key."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a folder, which ends with a slash, or is "" for all of the bucket."""
        ...


def is_elsewhere(uri: object) -> bool:
    """Tell whether a URI is such an address, and not that of artifacts of a run which lie in a bucket."""
    scheme = urlsplit(str(uri)).scheme
    return scheme in SCHEMES and not (scheme in uris.BUCKET_SCHEMES and uris.is_of_server(str(uri)))


def fetch(uri: str, folder: Path) -> Path:
    """Fetch a file, or all objects below a prefix of a bucket, into a local folder; whole or not at all.

    Returns:
        Where the file, or the folder, is now.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST; PERMISSION_DENIED; TEMPORARILY_UNAVAILABLE; NOT_IMPLEMENTED when the
            library for a cloud is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scheme, _, rest = uri.partition("://")
    if scheme.startswith("http"):
        # With what HTTP needs, which takes longer than the rest of the package.
        from stepwell.files import web

        return web.fetch(uri, folder)
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise invalid(f"{uri!r} names no bucket; write {scheme}://BUCKET/KEY.")
    with _opener(scheme)(uri, bucket) as objects:
        if key and not key.endswith("/") and (pieces := objects.pieces(key)) is not None:
            return _stored(pieces, paths.target_below(folder, key.rpartition("/")[2]))
        return _all_below(objects, uri, key.rstrip("/"), folder, bucket)


def _opener(scheme: str) -> Callable[[str, str], AbstractContextManager[Objects]]:
    """Return what opens a bucket by a URI and its name."""
    from stepwell.files import cloud_objects, s3_objects

    if scheme == "s3":
        return s3_objects.opened
    return cloud_objects.google if scheme == "gs" else cloud_objects.azure


def _all_below(objects: Objects, uri: str, prefix: str, folder: Path, bucket: str) -> Path:
    """Fetch all objects below a prefix, to where they are below it."""
    below = f"{prefix}/" if prefix else ""
    target = folder / (prefix.rpartition("/")[2] or bucket)
    count = 0
    for key in objects.keys(below):
        name = key[len(below) :]
        if not name or name.endswith("/"):  # what consoles put there for a folder
            continue
        count += 1
        if count > OBJECTS_MAX:
            raise invalid(f"{uri} has more than {OBJECTS_MAX:,} objects; name a part of it.")
        target.mkdir(exist_ok=True)
        _stored(objects.pieces(key) or iter(()), paths.target_below(target, name))
    if not count:
        raise StepwellException(f"There is nothing at {uri.rstrip('/')}.", "RESOURCE_DOES_NOT_EXIST")
    return target


def _stored(pieces: Iterator[bytes], target: Path) -> Path:
    with paths.part_of(target) as file:
        for piece in pieces:
            file.write(piece)
    return target
