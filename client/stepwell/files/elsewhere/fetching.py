"""Files that lie outside of Stepwell, at addresses that a user names: https://, http://, s3://, gs://, az:// and sftp://.

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
from stepwell.files.elsewhere.allowance import Allowance

# Where artifacts of runs may lie, too.
_PLACES = ("sftp", *uris.BUCKET_SCHEMES)
SCHEMES = ("http", "https", *_PLACES)


class Objects(Protocol):
    """The objects of one bucket, or the files of one server."""

    def pieces(self, key: str) -> Iterator[bytes] | None:
        """Return an object in pieces; None if there is none of this key."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a folder, which ends with a slash, or is "" for all of the bucket."""
        ...


def is_elsewhere(uri: object) -> bool:
    """Tell whether a URI is such an address, and not that of artifacts of a run which lie in a bucket."""
    scheme = urlsplit(str(uri)).scheme
    return scheme in SCHEMES and not (scheme in _PLACES and uris.is_of_server(str(uri)))


def fetch(uri: str, folder: Path) -> Path:
    """Fetch a file, or all that is in a folder or below a prefix, into a local folder; each file whole or not at all.

    Returns:
        Where the file, or the folder, is now.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST; PERMISSION_DENIED; TEMPORARILY_UNAVAILABLE; RESOURCE_EXHAUSTED when
            there is more than STEPWELL_FETCHED_BYTES_MAX; NOT_IMPLEMENTED when a library is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scheme, _, rest = uri.partition("://")
    allowance = Allowance(_shown(uri), folder)
    if scheme.startswith("http"):
        # With what HTTP needs, which takes longer than the rest of the package.
        from stepwell.files.elsewhere import web

        return web.fetch(uri, folder, allowance)
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise invalid(
            f"{uri!r} names no {'server' if scheme == 'sftp' else 'bucket'}; write {_FORMS.get(scheme, scheme)}."
        )
    with _opener(scheme)(uri, bucket) as objects:
        if key and not key.endswith("/") and (pieces := objects.pieces(key)) is not None:
            allowance.file()
            return _stored(pieces, paths.target_below(folder, key.rpartition("/")[2]), allowance)
        return _all_below(objects, uri, key.rstrip("/"), folder / _name(key, bucket), allowance)


_FORMS = {
    "sftp": "sftp://user@host/path",
    **{scheme: f"{scheme}://BUCKET/KEY" for scheme in uris.BUCKET_SCHEMES},
}


def _shown(uri: str) -> str:
    """Return an address without user, password and query."""
    scheme, _, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def _name(key: str, bucket: str) -> str:
    """Return how the folder is called into which all below a key goes."""
    return key.rstrip("/").rpartition("/")[2] or bucket.rpartition("@")[2].partition(":")[0]


def _opener(scheme: str) -> Callable[[str, str], AbstractContextManager[Objects]]:
    """Return what opens a bucket by a URI and its name."""
    from stepwell.files.elsewhere import clouds, s3, sftp

    openers: dict[str, Callable[[str, str], AbstractContextManager[Objects]]]
    openers = {"s3": s3.opened, "gs": clouds.google, "sftp": sftp.opened}
    return openers.get(scheme, clouds.azure)


def _all_below(objects: Objects, uri: str, prefix: str, target: Path, allowance: Allowance) -> Path:
    """Fetch all objects below a prefix, to where they are below it."""
    below = f"{prefix}/" if prefix else ""
    found = False
    for key in objects.keys(below):
        name = key[len(below) :]
        if not name or name.endswith("/"):  # what consoles put there for a folder
            continue
        found = True
        allowance.file()
        target.mkdir(exist_ok=True)
        _stored(objects.pieces(key) or iter(()), paths.target_below(target, name), allowance)
    if not found:
        raise StepwellException(f"There is nothing at {uri.rstrip('/')}.", "RESOURCE_DOES_NOT_EXIST")
    return target


def _stored(pieces: Iterator[bytes], target: Path, allowance: Allowance) -> Path:
    with paths.part_of(target) as file:
        for piece in pieces:
            allowance.add(len(piece))
            file.write(piece)
    return target
