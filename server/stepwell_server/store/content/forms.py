"""How people write places for content, and the one form that each has as a root.

| place                    | root             |                                                         |
|--------------------------|------------------|---------------------------------------------------------|
| (none)                   | data:artifacts   | folder `artifacts` in the server's data folder          |
| /folder, file:///folder  | file:///folder   | a folder of the operator's choice                       |
| s3://bucket/name         | s3://bucket/name | a bucket of S3, below a prefix                          |
| gs://bucket/name         | gs://bucket/name | one of Google Cloud Storage                             |
| az://container/name      | the same         | a container of Azure; the server's environment says     |
| abfs(s)://container/name | az://container/… | in which account                                        |
| wasbs://container@host/… | the same         | in an account that is named:                            |
| abfs(s), wasb://c@host/… | wasbs://c@host/… | host is <account>.blob.core.windows.net, or .dfs.       |
| sftp://user@host/path    | the same         | a folder of an SFTP server; see sftp/addresses.py       |

All functions raise InvalidArgumentError when a text is no such place.
"""

import re
from pathlib import Path
from urllib.parse import quote, unquote

from stepwell_server.errors import InvalidArgumentError

DATA_ROOT = "data:artifacts"
SHOWN_CHARS_MAX = 200

# Two letters at least: one is a drive, and that is no folder here either.
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_CONTAINER = re.compile(r"[$a-z0-9][a-z0-9-]{1,62}")
_ACCOUNT_HOST = re.compile(r"[a-z0-9]{3,24}\.(?:blob|dfs)(?:\.[a-z0-9-]+)+")
# What addresses have in another form; obstore signs none that Azure takes for these (0.12).
_ENCODED = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/-]")
# What a path or an address could mean in another way than a key of a bucket does.
_ODD_IN_PREFIX = re.compile(r"[\x00-\x1f\x7f\\?#%]")


def scheme_of(text: str) -> str:
    """Return what stands before the first colon, as it is written; "" if that is no scheme."""
    found = _SCHEME.match(text)
    return found["scheme"] if found else ""


def place_of_folder(text: str, served: str) -> str:
    """Return the path of a folder that is given as a path or as file:///folder; `served` says what else there is.

    (A folder with a colon in its name is ./a:b.)
    """
    scheme = scheme_of(text)
    if scheme and scheme.lower() != "file":
        raise InvalidArgumentError(
            f"places of the kind {scheme}: are not served ({shown(text)}); use {served}"
        )
    path = text
    if scheme:
        path = unquote(text[len("file:") :].removeprefix("//localhost").removeprefix("//"))
    if "\0" in path or (scheme and not path.startswith("/")):
        raise InvalidArgumentError(
            f"{shown(text)} names no folder of this machine; the form is file:///folder"
        )
    return path


def folder_root(folder: Path) -> str:
    """Return the root of a folder."""
    return f"file://{quote(str(folder.resolve()))}"


def bucket_root(location: str) -> str:
    """Return the root of <scheme>://bucket or <scheme>://bucket/prefix."""
    scheme = scheme_of(location)
    bucket, _, prefix = location.removeprefix(f"{scheme}://").partition("/")
    if not location.startswith(f"{scheme}://") or not _BUCKET.fullmatch(bucket):
        raise InvalidArgumentError(f"{shown(location)} names no bucket; the form is {scheme}://bucket/prefix")
    return f"{scheme}://{bucket}/{checked_prefix(location, prefix)}".rstrip("/")


def azure_root(location: str) -> str:
    """Return the root of az://container/prefix and of the other ways to write it."""
    scheme = scheme_of(location)
    place, _, prefix = location.removeprefix(f"{scheme}://").partition("/")
    container, at, host = place.partition("@")
    named = _CONTAINER.fullmatch(container) and (not at or _ACCOUNT_HOST.fullmatch(host))
    if not location.startswith(f"{scheme}://") or not named or (scheme.startswith("wasb") and not at):
        raise InvalidArgumentError(
            f"{shown(location)} names no container; the form is az://container/prefix, or "
            "wasbs://container@account.blob.core.windows.net/prefix"
        )
    plain = checked_prefix(location, prefix)
    if _ENCODED.search(plain):
        raise InvalidArgumentError(
            f"the prefix of {shown(location)} may not have spaces or letters beside those of ASCII: no addresses can "
            "be signed for them"
        )
    if not at:
        return f"az://{container}/{plain}".rstrip("/")
    account, _, rest = host.partition(".")
    return f"wasbs://{container}@{account}.{rest.replace('dfs.', 'blob.', 1)}/{plain}".rstrip("/")


def checked_prefix(location: str, prefix: str) -> str:
    """Return the prefix in a location without slashes around it, if its parts can mean no other place."""
    plain = prefix.strip("/")
    if _ODD_IN_PREFIX.search(plain) or (plain and {"", ".", ".."} & set(plain.split("/"))):
        raise InvalidArgumentError(
            rf"the prefix of {shown(location)} may not have empty, '.' or '..' parts, backslashes, '?', '#' or '%'"
        )
    return plain


def shown(text: str) -> str:
    """Return a text as messages show it."""
    return repr(text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…")
