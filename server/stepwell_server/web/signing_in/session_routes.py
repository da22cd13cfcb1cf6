"""Who is signed in, signing in, signing out.

GET    /api/stepwell/v1/session              who it is, and how one can sign in
POST   /api/stepwell/v1/session              {"name", "password"} or {"token"} -> a cookie
DELETE /api/stepwell/v1/session              ends the session; with ?everywhere=1 all of the account
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stepwell_server.errors import InvalidArgumentError, UnauthenticatedError
from stepwell_server.model.access import Caller
from stepwell_server.model.sessions import Way
from stepwell_server.services.access.authentication import Authenticator
from stepwell_server.services.access.calling import Presented
from stepwell_server.services.access.sessions import Sessions
from stepwell_server.web.admission import origin_of
from stepwell_server.web.guards import lift_body_limit
from stepwell_server.web.signing_in.browsers import BrowserSource, browser
from stepwell_server.web.signing_in.cookies import SESSION, CookieJar, unpacked
from stepwell_server.web.signing_in.no_accounts import SESSION_PATH
from stepwell_server.web.signing_in.own_page import require_own_page

# Why a provider's answer signed nobody in, until the page has told it.
PROBLEM = "stepwell-problem"
BODY_BYTES_MAX = 16 * 2**10
PRIVATE = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class SignInRoutes:
    """What the routes need. `provider` is what people call theirs, None without one."""

    authenticator: Authenticator
    sessions: Sessions
    source: BrowserSource
    jar: CookieJar
    provider: str | None = None


def session_routes(sign_in: SignInRoutes) -> list[BaseRoute]:
    """Return the routes."""

    async def get(request: Request) -> Response:
        answer = JSONResponse(await _described(sign_in, request), headers=PRIVATE)
        if sign_in.jar.read(request, PROBLEM):
            sign_in.jar.drop(request, answer, PROBLEM)
        return answer

    async def post(request: Request) -> Response:
        require_own_page(request.method, request.headers)  # nobody else signs a browser in
        given = await body_fields(request)
        caller, way = await _known(sign_in.authenticator, given, origin_of(request.scope))
        return await signed_in(sign_in, request, caller, way, Response(status_code=204, headers=PRIVATE))

    async def delete(request: Request) -> Response:
        require_own_page(request.method, request.headers)
        secret = sign_in.jar.read(request, SESSION)
        if request.query_params.get("everywhere") == "1" and secret:
            await sign_in.sessions.end_all(await sign_in.sessions.caller(secret), origin_of(request.scope))
        elif secret:
            await sign_in.sessions.end(secret, origin_of(request.scope))
        answer = Response(status_code=204, headers=PRIVATE)
        sign_in.jar.drop(request, answer, SESSION)
        return answer

    return [
        Route(SESSION_PATH, get, methods=["GET"]),
        Route(SESSION_PATH, post, methods=["POST"]),
        Route(SESSION_PATH, delete, methods=["DELETE"]),
    ]


async def signed_in(
    sign_in: SignInRoutes, request: Request, caller: Caller, way: Way, answer: Response
) -> Response:
    """Let an answer sign a browser in; the session that it had before ends."""
    before = sign_in.jar.read(request, SESSION)
    if before:
        await sign_in.sessions.end(before, origin_of(request.scope))
    secret = await sign_in.sessions.begin(caller, way, origin_of(request.scope))
    sign_in.jar.set(request, answer, SESSION, secret, sign_in.sessions.s_max)
    return answer


async def body_fields(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a small body. Raises InvalidArgumentError."""
    lift_body_limit(request.scope, BODY_BYTES_MAX)
    try:
        given = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise InvalidArgumentError("the body has to be a JSON object")
    return given


async def _described(sign_in: SignInRoutes, request: Request) -> Mapping[str, Any]:
    person, problem = None, unpacked(sign_in.jar.read(request, PROBLEM))
    try:
        person = await _person(sign_in)
    except UnauthenticatedError as error:
        problem = problem or str(error)
    return {
        "accounts": True,
        "person": person,
        "ways": {"password": True, "provider": sign_in.provider},
        "problem": problem,
    }


async def _person(sign_in: SignInRoutes) -> Mapping[str, Any] | None:
    shown = browser()
    if shown.user:
        caller, way = await sign_in.source.proxied(shown.user), "proxy"
    elif shown.session:
        session = await sign_in.sessions.find(shown.session)
        caller, way = await sign_in.sessions.caller(shown.session), session.way.value
    else:
        return None
    return {"name": caller.name, "isAdmin": caller.administers, "mayCreate": caller.may_create, "way": way}


async def _known(authenticator: Authenticator, given: Mapping[str, Any], origin: str) -> tuple[Caller, Way]:
    """Return whose name and password, or token, these are. Raises UnauthenticatedError."""
    match given:
        case {"token": str(token)}:
            presented = Presented(f"Bearer {token}", lambda _: None, origin)
            return await authenticator.caller(presented), Way.TOKEN
        case {"name": str(name), "password": str(password)} if "\0" not in name:
            return await authenticator.by_password(name, password, origin), Way.PASSWORD
    raise InvalidArgumentError('signing in takes {"name": "…", "password": "…"} or {"token": "…"}')
