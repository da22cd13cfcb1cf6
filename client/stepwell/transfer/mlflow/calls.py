"""Calls of MLflow's REST API: again where a server stumbles, and a SourceError where it does not answer."""

import base64
import http.client
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from stepwell import settings
from stepwell.errors import StepwellException
from stepwell.transfer.left import shown
from stepwell.transfer.sources import SourceError
from stepwell.wire import tls

HTTP_TIMEOUT_S = 120.0
# Attempts of one call, and the pause before the second one; it doubles.
ATTEMPTS = 4
PAUSE_S = 0.5
# An answer with a page of runs may be large: a thousand runs with a hundred params of 6,000 characters have 600 MB.
ANSWER_BYTES_MAX = 1 << 30
_NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 404, 429, 500

T = TypeVar("T")

# What is raised where an answer has not the form that MLflow's have.
ODD_ANSWER = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class UnknownCallError(SourceError):
    """The server does not have this call, or what it asks for."""


class MlflowCalls:
    """One server; MLFLOW_TRACKING_USERNAME and the like say who asks, and whom to believe."""

    def __init__(self, uri: str) -> None:
        self.shown = without_password(uri)
        parts = urllib.parse.urlsplit(uri)
        self._uri = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._tls = tls.context() if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/json", **_authorization(parts)}

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a GET, or to a POST with a body.

        Raises:
            SourceError: it does not answer this.
            StepwellException: it does not answer at all any more.
        """
        return self.get(f"api/2.0/mlflow/{path}", None if body is None else json.dumps(body).encode())

    def get(self, path: str, data: bytes | None = None) -> dict[str, Any]:
        """Return the answer at a path of the server. Raises as `ask`."""
        answer = self._tried(path, data, _json)
        if not isinstance(answer, dict):
            raise SourceError(f"the answer to {path.partition('?')[0]} is none of MLflow's")
        return answer

    def fetch(self, run_id: str, path: str, file: Path) -> None:
        """Fetch an artifact by the address from which MLflow's pages download it. Raises as `ask`."""
        query = urllib.parse.urlencode({"path": path, "run_uuid": run_id}, errors="surrogatepass")
        self.fetch_file(f"get-artifact?{query}", file)

    def fetch_of_model(self, model_id: str, path: str, file: Path) -> None:
        """Fetch a file of a logged model. Raises as `ask`."""
        query = urllib.parse.urlencode({"artifact_file_path": path}, errors="surrogatepass")
        self.fetch_file(f"ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files?{query}", file)

    def fetch_file(self, address: str, file: Path) -> None:
        """Fetch a file at a path of the server. Raises as `ask`, also when less came than was said."""

        def write(answer: Any) -> None:
            with file.open("wb") as target:
                shutil.copyfileobj(answer, target)
                length = answer.headers.get("Content-Length")
                if length and target.tell() != int(length):
                    raise http.client.IncompleteRead(b"", int(length) - target.tell())

        self._tried(address, None, write)

    @staticmethod
    def is_unknown(failure: SourceError) -> bool:
        """Tell whether the server does not know what was asked for."""
        return isinstance(failure, UnknownCallError)

    def _tried(self, path: str, data: bytes | None, take: Callable[[Any], T]) -> T:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self._uri}/{path}", data=data, headers=self._headers
        )
        name = path.partition("?")[0]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S, context=self._tls) as answer:  # noqa: S310
                    return take(answer)
            except urllib.error.HTTPError as failure:
                with failure:  # it is an open answer
                    passes = failure.code == _TOO_MANY or failure.code >= _SERVER_ERROR
                    if not passes or attempt == ATTEMPTS:
                        kind = UnknownCallError if failure.code == _NOT_FOUND else SourceError
                        raise kind(
                            f"MLflow's server answers {name} with {failure.code} {failure.reason}"
                        ) from None
            except (OSError, http.client.HTTPException) as failure:
                if attempt == ATTEMPTS:
                    raise StepwellException(
                        f"MLflow's server {self.shown} did not answer {name}: {shown(str(failure))}.",
                        "TEMPORARILY_UNAVAILABLE",
                    ) from None
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def _json(answer: Any) -> Any:
    body = answer.read(ANSWER_BYTES_MAX + 1)
    if len(body) > ANSWER_BYTES_MAX:
        raise SourceError(f"an answer has more than {ANSWER_BYTES_MAX:,} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise SourceError(f"an answer is no JSON: {failure}") from None


def without_password(address: str) -> str:
    """Return an address as it may be shown."""
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _authorization(address: urllib.parse.SplitResult) -> dict[str, str]:
    """Return the header that says who asks: from the variables that MLflow's client reads, or the address."""
    name, password, token = settings.mlflow_credentials()
    if not token and not name and address.username:
        name, password = (urllib.parse.unquote(it or "") for it in (address.username, address.password))
    if token:
        return {"Authorization": f"Bearer {token}"}
    if name:
        return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}
    return {}
