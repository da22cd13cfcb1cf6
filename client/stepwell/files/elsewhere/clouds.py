"""Objects of Google's buckets and of Azure's containers that a user names, through obstore.

gs://<bucket>/<key>                 credentials by Google's usual means
az://<container>/<key>              and abfs(s)://…; the account comes from the environment, as for Azure's programs
wasbs://<container>@<host>/<key>    and abfs(s)://…; <host> begins with the account
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stepwell import extras
from stepwell.errors import StepwellException

_PIECE_BYTES = 1 << 20
# Of a whole request, so of the largest object; silence ends it before.
_TIMES = {"timeout": "7d", "read_timeout": "60s"}
_CODES = {
    "FileNotFoundError": "RESOURCE_DOES_NOT_EXIST",
    "InvalidPathError": "INVALID_PARAMETER_VALUE",
    "PermissionDeniedError": "PERMISSION_DENIED",
    "UnauthenticatedError": "UNAUTHENTICATED",
}
_CONNECTION_WORDS = {
    "accountname": "account_name",
    "accountkey": "account_key",
    "blobendpoint": "endpoint",
    "sharedaccesssignature": "sas_key",
}
# Those of obstore, and others that Azure's own programs and MLflow take.
_VARIABLES = {
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT": "account_name",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "AZURE_STORAGE_ACCESS_KEY": "account_key",
    "AZURE_STORAGE_KEY": "account_key",
    "AZURE_STORAGE_SAS_TOKEN": "sas_key",
}
_OF_ONE_ACCOUNT = [variable for variable, name in _VARIABLES.items() if name != "account_name"]


@contextmanager
def google(uri: str, bucket: str) -> Iterator["CloudObjects"]:
    """Open a bucket of Google; what goes wrong with it is told of the URI."""
    library = _library("Fetching from Google Cloud Storage", "gcs")
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    config = {"base_url": host if "://" in host else f"http://{host}"} if host else {}
    with _told(uri):
        yield CloudObjects(
            library,
            library.store.GCSStore(bucket, config=config, client_options=_options(config, "base_url")),
        )


@contextmanager
def azure(uri: str, place: str) -> Iterator["CloudObjects"]:
    """Open a container of Azure; what goes wrong with it is told of the URI."""
    library = _library("Fetching from Azure", "azure")
    container, config = configured(place, os.environ)
    with _told(uri):
        store = library.store.AzureStore(
            container, config=config, client_options=_options(config, "endpoint")
        )
        yield CloudObjects(library, store)


def configured(place: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return container and obstore's settings for a place of Azure; obstore also reads the environment."""
    config = dict(_connection(environment.get("AZURE_STORAGE_CONNECTION_STRING", "")))
    for variable, name in _VARIABLES.items():
        if environment.get(variable):
            config.setdefault(name, environment[variable])
    container, _, host = place.partition("@")
    if host:
        account = host.partition(".")[0]
        if config.get("account_name", account) != account:
            # A key or a signature is of the other account, and obstore would use it here.
            config = {"skip_signature": "true"} if any(map(environment.get, _OF_ONE_ACCOUNT)) else {}
        config["account_name"] = account
        config.setdefault("endpoint", f"https://{host.replace('.dfs.', '.blob.', 1)}")
    return container, config


class CloudObjects:
    """Implements `fetching.Objects`."""

    def __init__(self, library: Any, store: Any) -> None:
        self._library = library
        self._store = store

    def pieces(self, key: str) -> Iterator[bytes] | None:
        """See `fetching.Objects`."""
        try:
            answer = self._library.get(self._store, key)
        except FileNotFoundError:
            return None
        pieces: Iterator[bytes] = iter(answer.stream(min_chunk_size=_PIECE_BYTES))
        return pieces

    def keys(self, prefix: str) -> Iterator[str]:
        """See `fetching.Objects`."""
        for page in self._library.list(self._store, prefix=prefix.rstrip("/") or None):
            yield from (each["path"] for each in page)


def _library(purpose: str, extra: str) -> Any:
    extras.load("obstore.store", purpose, extra)
    return extras.load("obstore", purpose, extra)


def _connection(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a connection string of Azure's says, by obstore's names."""
    for part in text.split(";"):
        word, _, value = part.partition("=")
        if value and word.strip().lower() in _CONNECTION_WORDS:
            yield _CONNECTION_WORDS[word.strip().lower()], value.strip().rstrip("/")


def _options(config: Mapping[str, str], address: str) -> Mapping[str, Any]:
    return {**_TIMES, "allow_http": config.get(address, "").startswith("http:")}


@contextmanager
def _told(uri: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        kind = type(error)
        if kind.__module__.partition(".")[0] != "obstore" and kind is not FileNotFoundError:
            raise
        first = str(error).strip().partition("\n")[0]
        code = _CODES.get(kind.__name__, "TEMPORARILY_UNAVAILABLE")
        raise StepwellException(f"{uri} could not be fetched: {first}", code) from None
