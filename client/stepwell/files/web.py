"""Files of the web, by https:// and http:// addresses that a user names."""

import base64
import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from stepwell.errors import StepwellException
from stepwell.files import options, paths
from stepwell.wire import tls

_PIECE_BYTES = 1 << 20


def fetch(uri: str, folder: Path) -> Path:
    """Fetch a file into a local folder that is there, whole or not at all, and return where it is.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST, PERMISSION_DENIED, UNAUTHENTICATED, TEMPORARILY_UNAVAILABLE.
    """
    parts = urlsplit(uri)
    name = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.hostname or ""
    target = paths.target_below(folder, name)
    secure = tls.context_for_others() if parts.scheme == "https" else None
    try:
        with (
            urllib.request.urlopen(_request(parts), timeout=options.timeout_s(), context=secure) as answer,  # noqa: S310 - http or https
            paths.part_of(target) as file,
        ):
            shutil.copyfileobj(answer, file, _PIECE_BYTES)
            length = answer.headers.get("Content-Length")
            if length and file.tell() != int(length):
                raise http.client.IncompleteRead(b"", int(length) - file.tell())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(parts, error) from error
    return target


def _request(parts: SplitResult) -> urllib.request.Request:
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(  # noqa: S310 - http or https
        parts._replace(netloc=host, fragment="").geturl(), headers={"User-Agent": "stepwell"}
    )
    if parts.username is not None:
        named = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(named).decode()}")
    return request


def _failure(parts: SplitResult, error: Exception) -> StepwellException:
    code = "TEMPORARILY_UNAVAILABLE"
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it holds the connection
        if error.code < 500:
            code = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}.get(
                error.code, "RESOURCE_DOES_NOT_EXIST"
            )
    # Neither user nor query, in which secrets may be.
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return StepwellException(f"{shown} could not be fetched: {error or type(error).__name__}", code)
