"""Whether a request comes from our own page (cross-site request forgery).

A browser adds cookies, and a proxy the name of the user, to whatever any page makes it send. So what they vouch for,
and what changes something, is taken only with

    Sec-Fetch-Site: same-origin    which no script can set; older browsers, and those without TLS, do not send it
    Origin: this server            which no script can set, either
    X-Stepwell-Page: 1             which a form cannot send, and a script of another origin only after asking

all as far as they are there, and the last one always.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from stepwell_server.web.errors import RefusedError
from stepwell_server.web.guards import SAFE_METHODS

PAGE_HEADER = "x-stepwell-page"


def require_own_page(method: str, headers: Headers) -> None:
    """Refuse what another page may have sent. Raises RefusedError."""
    if method in SAFE_METHODS:
        return
    if is_of_another_origin(headers):
        raise RefusedError(
            403, "another page sent this; what changes something has to come from Stepwell's own"
        )
    if PAGE_HEADER not in headers:
        raise RefusedError(
            403,
            f"a request that is signed in by a cookie or a proxy needs the header {PAGE_HEADER}: 1 to change "
            "something; programs use a token instead",
        )


def is_of_another_origin(headers: Headers) -> bool:
    """Tell whether the browser says that a page of another origin sent this."""
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin")
    host = headers.get("host", "").lower()
    return site != "same-origin" or (origin is not None and urlsplit(origin).netloc.lower() != host)
