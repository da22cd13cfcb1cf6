"""Objects of S3 that a user names. Credentials come by AWS's usual means."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from stepwell import extras
from stepwell.errors import StepwellException

_PIECE_BYTES = 1 << 20
_CODES = {
    "NoSuchBucket": "RESOURCE_DOES_NOT_EXIST",
    "AccessDenied": "PERMISSION_DENIED",
    "403": "PERMISSION_DENIED",
    "InvalidAccessKeyId": "UNAUTHENTICATED",
    "SignatureDoesNotMatch": "UNAUTHENTICATED",
}


@contextmanager
def opened(uri: str, bucket: str) -> Iterator["S3Objects"]:
    """Open a bucket; what goes wrong with it is told of the URI."""
    session: Any = extras.load("botocore.session", "Fetching from S3", "s3")
    library: Any = extras.load("botocore.exceptions", "Fetching from S3", "s3")
    try:
        with closing(session.get_session().create_client("s3")) as client:
            yield S3Objects(client, library.ClientError, bucket)
    except (library.BotoCoreError, library.ClientError) as error:
        code = _CODES.get(_code_of(error), "TEMPORARILY_UNAVAILABLE")
        if type(error).__name__ == "NoCredentialsError":
            code = "UNAUTHENTICATED"
        raise StepwellException(f"{uri} could not be fetched: {error}", code) from error


class S3Objects:
    """Implements `fetching.Objects`."""

    def __init__(self, client: Any, failure: type[Exception], bucket: str) -> None:
        self._client = client
        self._failure = failure
        self._bucket = bucket

    def pieces(self, key: str) -> Iterator[bytes] | None:
        """See `fetching.Objects`."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except self._failure as error:
            if _code_of(error) not in ("NoSuchKey", "404"):
                raise
            return None
        return _read(body)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `fetching.Objects`."""
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            for each in page.get("Contents", ()):
                yield each["Key"]


def _read(body: Any) -> Iterator[bytes]:
    with closing(body):
        yield from body.iter_chunks(_PIECE_BYTES)


def _code_of(error: Any) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
