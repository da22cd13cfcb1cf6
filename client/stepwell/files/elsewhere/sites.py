"""Requests to a web server that a user has named; with who they are there, if the address says so."""

import base64
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urlsplit

from stepwell.errors import StepwellException
from stepwell.files import addresses, options
from stepwell.wire import tls

# What may pass by itself.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_CODES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "TEMPORARILY_UNAVAILABLE"}


class Site:
    """The server of one address."""

    def __init__(self, parts: SplitResult) -> None:
        self._origin = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        self._authorization = ""
        if parts.username is not None:
            named = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._authorization = f"Basic {base64.b64encode(named).decode()}"
        secure = urllib.request.HTTPSHandler(context=tls.context_for_others())
        self._opener = urllib.request.build_opener(secure, _Redirections(self))

    @property
    def url(self) -> str:
        """The address without user and fragment."""
        return self._origin._replace(fragment="").geturl()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
        """Return a good answer, to be closed.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST, PERMISSION_DENIED, UNAUTHENTICATED, TEMPORARILY_UNAVAILABLE.
        """
        try:
            answer: http.client.HTTPResponse = self._opener.open(
                self.request(url, headers), timeout=options.timeout_s()
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise failure(url, error) from error
        return answer

    def request(self, url: str, headers: Mapping[str, str] | None = None) -> urllib.request.Request:
        """Return a request for an address; only those to this server say who asks."""
        request = urllib.request.Request(url, headers={"User-Agent": "stepwell", **(headers or {})})  # noqa: S310 - http or https
        if self._authorization and self.has(url):
            request.add_unredirected_header("Authorization", self._authorization)
        return request

    def has(self, url: str) -> bool:
        """Tell whether an address is at this server: of the same origin, or the same over https."""
        parts = urlsplit(url)
        if parts[:2] == self._origin[:2]:
            return True
        return (self._origin.scheme, parts.scheme) == ("http", "https") and (
            parts.hostname == self._origin.hostname and not parts.port and not self._origin.port
        )

    def leads_to(self, url: str) -> bool:
        """Tell whether a redirection is followed: at this server, or to one that somebody on this side has named."""
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or self._origin.scheme == "http"
        return self.has(url) or (is_safe and addresses.is_named(parts))


class _Redirections(urllib.request.HTTPRedirectHandler):
    def __init__(self, site: Site) -> None:
        self._site = site

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request:
        if not self._site.leads_to(newurl):
            host = urlsplit(newurl).netloc.rpartition("@")[2]
            raise StepwellException(
                f"{shown(req.full_url)} leads to {shown(newurl)}, at another server. Name that address if it is what "
                f"you want, or allow the host: STEPWELL_ARTIFACT_HOSTS={host}",
                "PERMISSION_DENIED",
            )
        again = ("Range", "If-range")
        return self._site.request(newurl, {name: req.headers[name] for name in again if name in req.headers})


def shown(url: str) -> str:
    """Return an address without user and query, in which secrets may be."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def failure(url: str, error: Exception) -> StepwellException:
    """Return what is told of an address that could not be fetched."""
    code = "TEMPORARILY_UNAVAILABLE"
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it holds the connection
        if error.code not in _PASSING:
            code = _CODES.get(error.code, "RESOURCE_DOES_NOT_EXIST")
    return StepwellException(f"{shown(url)} could not be fetched: {error or type(error).__name__}", code)


def may_pass(error: BaseException | None) -> bool:
    """Tell whether a server that answered so may answer otherwise soon."""
    return isinstance(error, urllib.error.HTTPError) and error.code in _PASSING
