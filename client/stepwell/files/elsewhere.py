"""Files that lie outside of Stepwell, at addresses that a user names: https://, http:// and s3://.

Credentials of S3 come by AWS's usual means. Addresses that a server or a registry names are none of these: they are
fetched by `downloads` alone.
"""

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stepwell import extras
from stepwell.errors import StepwellException, invalid
from stepwell.files import paths, uris

SCHEMES = ("http", "https", "s3")
# Objects below a prefix that are fetched; of more, a part would be what is meant.
OBJECTS_MAX = 100_000
_PIECE_BYTES = 1 << 20


def is_elsewhere(uri: object) -> bool:
    """Tell whether a URI is such an address, and not that of artifacts of a run which lie on S3."""
    scheme = urlsplit(str(uri)).scheme
    return scheme in SCHEMES and (scheme != "s3" or not uris.is_of_server(str(uri)))


def fetch(uri: str, folder: Path) -> Path:
    """Fetch a file, or all objects below a prefix of a bucket, into a local folder; whole or not at all.

    Returns:
        Where the file, or the folder, is now.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST; PERMISSION_DENIED; TEMPORARILY_UNAVAILABLE; NOT_IMPLEMENTED when the
            library for S3 is missing.
    """
    from stepwell.files import web  # with what HTTP needs, which takes longer than the rest of the package

    folder.mkdir(parents=True, exist_ok=True)
    return _from_bucket(uri, folder) if uri.startswith("s3:") else web.fetch(uri, folder)


def _from_bucket(uri: str, folder: Path) -> Path:
    bucket, _, key = uri.split("://", 1)[-1].partition("/")
    if not bucket:
        raise invalid(f"{uri!r} names no bucket; write s3://BUCKET/KEY.")
    session: Any = extras.load("botocore.session", "Fetching from S3", "s3")
    library: Any = extras.load("botocore.exceptions", "Fetching from S3", "s3")
    try:
        with closing(session.get_session().create_client("s3")) as client:
            if key and not key.endswith("/") and (found := _object(client, library, bucket, key, folder)):
                return found
            return _objects(client, bucket, key.rstrip("/"), folder)
    except (library.BotoCoreError, library.ClientError) as error:
        raise _bucket_failure(uri, error) from error


def _object(client: Any, library: Any, bucket: str, key: str, folder: Path) -> Path | None:
    """Fetch one object; None if there is none of this key."""
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
    except library.ClientError as error:
        if _code_of(error) not in ("NoSuchKey", "404"):
            raise
        return None
    return _stored(body, paths.target_below(folder, key.rpartition("/")[2]))


def _objects(client: Any, bucket: str, prefix: str, folder: Path) -> Path:
    """Fetch all objects below a prefix, to where they are below it."""
    below = f"{prefix}/" if prefix else ""
    target = folder / (prefix.rpartition("/")[2] or bucket)
    count = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below):
        for each in page.get("Contents", ()):
            name = each["Key"][len(below) :]
            if not name or name.endswith("/"):  # what consoles put there for a folder
                continue
            count += 1
            if count > OBJECTS_MAX:
                raise invalid(
                    f"s3://{bucket}/{below} has more than {OBJECTS_MAX:,} objects; name a part of it."
                )
            target.mkdir(exist_ok=True)
            body = client.get_object(Bucket=bucket, Key=each["Key"])["Body"]
            _stored(body, paths.target_below(target, name))
    if not count:
        raise StepwellException(f"There is nothing at s3://{bucket}/{prefix}.", "RESOURCE_DOES_NOT_EXIST")
    return target


def _stored(body: Any, target: Path) -> Path:
    with closing(body), paths.part_of(target) as file:
        for piece in body.iter_chunks(_PIECE_BYTES):
            file.write(piece)
    return target


def _code_of(error: Any) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _bucket_failure(uri: str, error: Exception) -> StepwellException:
    code = {
        "NoSuchBucket": "RESOURCE_DOES_NOT_EXIST",
        "AccessDenied": "PERMISSION_DENIED",
        "403": "PERMISSION_DENIED",
        "InvalidAccessKeyId": "UNAUTHENTICATED",
        "SignatureDoesNotMatch": "UNAUTHENTICATED",
    }.get(_code_of(error), "TEMPORARILY_UNAVAILABLE")
    if type(error).__name__ == "NoCredentialsError":
        code = "UNAUTHENTICATED"
    return StepwellException(f"{uri} could not be fetched: {error}", code)
