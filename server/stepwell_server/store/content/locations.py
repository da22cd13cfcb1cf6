"""Places for content, as people name them, and which of them experiments may use.

| place                    | root             |                                                         |
|--------------------------|------------------|---------------------------------------------------------|
| (none)                   | data:artifacts   | folder `artifacts` in the server's data folder          |
| /folder, file:///folder  | file:///folder   | a folder of the operator's choice                       |
| s3://bucket/name         | s3://bucket/name | a bucket, below a prefix                                |

An experiment may name a place that the server was started with, or one below it; `--artifacts` is one of them when
it is a bucket. Everything else is refused: the server's credentials and folders are not its callers'.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.store.tracking.experiments import ARTIFACT_ROOT

DATA_ROOT = "data:artifacts"
SHOWN_CHARS_MAX = 200
SERVED = "s3://bucket/prefix, file:///folder, or a folder"

# Two letters at least: one is a drive, and that is no folder here either.
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
# What a path or an address could mean in another way than a key of S3 does.
_ODD_IN_PREFIX = re.compile(r"[\x00-\x1f\x7f\\?#%]")


class Locations:
    """Which places experiments may use.

    Args:
        default: the root of experiments that have no location of their own.
        folders: folders in which they may have one.
        buckets: s3://bucket/prefix, below which they may have one; `default` is another, when it is one.
    """

    def __init__(self, default: str, folders: Sequence[str] = (), buckets: Sequence[str] = ()) -> None:
        self.default = default
        self._folders = [Path(place_of_folder(folder)).resolve() for folder in folders]
        own = [default] if default.startswith("s3://") else []
        self._buckets = [*own, *map(s3_root, buckets)]

    def root_of(self, location: str) -> str:
        """Return the root of an experiment's location; an empty one is the default.

        Raises:
            InvalidArgumentError: it is none, of an unknown scheme, or not among those that this server allows.
        """
        if not location or location.startswith(ARTIFACT_ROOT):
            return self.default
        if location.startswith("s3:"):
            return self._bucket_root(location)
        return self._folder_root(location)

    def _bucket_root(self, location: str) -> str:
        root = s3_root(location)
        if not any(root == allowed or root.startswith(f"{allowed}/") for allowed in self._buckets):
            raise InvalidArgumentError(
                f"the artifact location {_shown(location)} is not below a bucket's prefix that this server allows; its "
                "operator can start it with --artifact-bucket s3://bucket/prefix"
            )
        return root

    def _folder_root(self, location: str) -> str:
        folder = Path(place_of_folder(location))
        if not folder.is_absolute():
            raise InvalidArgumentError(
                f"the artifact location {_shown(location)} is a relative path; use file:///folder"
            )
        real = folder.resolve()
        if not any(real.is_relative_to(allowed) for allowed in self._folders):
            raise InvalidArgumentError(
                f"the artifact location {_shown(location)} is not in a folder that this server allows; its "
                "operator can start it with --artifact-folder"
            )
        return folder_root(real)


def default_root(setting: str | None) -> str:
    """Return the root for the option `--artifacts`: none, s3://bucket/prefix, or a folder.

    Raises:
        InvalidArgumentError: it is of a scheme that is not served.
    """
    if not setting:
        return DATA_ROOT
    if setting.startswith("s3:"):
        return s3_root(setting)
    return folder_root(Path(place_of_folder(setting)))


def place_of_folder(text: str) -> str:
    """Return the path of a folder that is given as a path or as file:///folder.

    Raises:
        InvalidArgumentError: it is of another scheme. (A folder with a colon in its name is ./a:b.)
    """
    found = _SCHEME.match(text)
    if found is None:
        return text
    if found["scheme"].lower() != "file":
        raise InvalidArgumentError(
            f"places of the kind {found[0]} are not served ({_shown(text)}); use {SERVED}"
        )
    path = text[found.end() :].removeprefix("//localhost").removeprefix("//")
    if not path.startswith("/") or "\0" in unquote(path):
        raise InvalidArgumentError(
            f"{_shown(text)} names no folder of this machine; the form is file:///folder"
        )
    return unquote(path)


def folder_root(folder: Path) -> str:
    """Return the root of a folder."""
    return f"file://{quote(str(folder.resolve()))}"


def s3_root(location: str) -> str:
    """Return the root of a bucket's prefix.

    Raises:
        InvalidArgumentError: it is not s3://bucket or s3://bucket/prefix, or the prefix has parts that could mean
            another place.
    """
    bucket, _, rest = location.removeprefix("s3://").partition("/")
    prefix = rest.strip("/")
    if not location.startswith("s3://") or not _BUCKET.fullmatch(bucket):
        raise InvalidArgumentError(f"{_shown(location)} names no bucket; the form is s3://bucket/prefix")
    if _ODD_IN_PREFIX.search(prefix) or (prefix and {"", ".", ".."} & set(prefix.split("/"))):
        raise InvalidArgumentError(
            rf"the prefix of {_shown(location)} may not have empty, '.' or '..' parts, backslashes, '?', '#' or '%'"
        )
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…")
