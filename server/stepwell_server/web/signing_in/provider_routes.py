"""Signing in at an OpenID Connect provider.

    GET /api/stepwell/v1/session/provider?back=%23/experiments/3    -> to the provider
    GET /api/stepwell/v1/session/callback?code=…&state=…            -> back to the page, signed in

What has to be remembered in between is in a cookie of this browser, which scripts cannot read, and which ends with the
first answer, whatever that is: so nothing is kept here for those who never come back, and no answer counts twice.
The way back is a place in our page (what follows the # of an address), so it cannot lead to another server.
"""

import re
from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from stepwell_server.errors import StepwellError
from stepwell_server.model.access import Caller
from stepwell_server.model.sessions import Way
from stepwell_server.process.logger import get_logger
from stepwell_server.services.access.single_sign_on import SingleSignOn
from stepwell_server.web.errors import RefusedError
from stepwell_server.web.signing_in.cookies import packed, unpacked
from stepwell_server.web.signing_in.no_accounts import SESSION_PATH
from stepwell_server.web.signing_in.provider import ProvidedUser, Provider, Started
from stepwell_server.web.signing_in.session_routes import (
    PRIVATE,
    PROBLEM,
    SignInRoutes,
    signed_in,
)

BEGIN_PATH = f"{SESSION_PATH}/provider"
CALLBACK_PATH = f"{SESSION_PATH}/callback"
STARTED = "stepwell-sign-in"
# Nobody takes longer at the provider, and the page tells at once what went wrong.
STARTED_S_MAX = 600
PROBLEM_S_MAX = 60
# Of the place in the page; a longer one, with many runs in it, is left out: a cookie has 4 KiB.
BACK_CHARS_MAX = 2_000
_PLACE = re.compile(r"#/(?!/)[!-~]*")

log = get_logger(__name__)


def provider_routes(
    sign_in: SignInRoutes, provider: Provider, sign_on: SingleSignOn, public_url: str
) -> list[BaseRoute]:
    """Return the routes. `public_url` is where browsers find the server, "" for where they ask it."""

    def callback_address(request: Request) -> str:
        base = public_url or str(request.base_url).rstrip("/")
        return base + CALLBACK_PATH

    async def begin(request: Request) -> Response:
        try:
            address, started = await provider.begin(
                callback_address(request), _place(request.query_params.get("back"))
            )
        except StepwellError as error:
            return _to_page(sign_in, request, "", str(error))
        answer = RedirectResponse(address, 303, PRIVATE)
        sign_in.jar.set(
            request, answer, STARTED, packed(orjson.dumps(asdict(started)).decode()), STARTED_S_MAX
        )
        return answer

    async def callback(request: Request) -> Response:
        started = _started(sign_in.jar.read(request, STARTED))
        try:
            if started is None:
                raise RefusedError(400, "the sign-in took too long, or began in another browser; try again")
            user = await provider.finish(started, request.query_params, callback_address(request))
            caller = await _account(provider, sign_on, user)
        except (RefusedError, StepwellError) as error:
            reason = error.detail if isinstance(error, RefusedError) else str(error)
            log.info("nobody was signed in", provider=provider.name, reason=reason)
            return _to_page(sign_in, request, started.back if started else "", reason)
        answer = _to_page(sign_in, request, started.back)
        return await signed_in(sign_in, request, caller, Way.PROVIDER, answer)

    return [
        Route(BEGIN_PATH, begin, methods=["GET"]),
        Route(CALLBACK_PATH, callback, methods=["GET"]),
    ]


async def _account(provider: Provider, sign_on: SingleSignOn, user: ProvidedUser) -> Caller:
    config = provider.config
    is_admin = bool(set(user.groups) & set(config.admin_groups)) if config.admin_groups else None
    groups = user.groups if config.groups_claim else None
    return await sign_on.provided(user.issuer, user.subject, user.name, groups, is_admin=is_admin)


def _to_page(sign_in: SignInRoutes, request: Request, back: str, problem: str = "") -> Response:
    """Return to where one was in the page; it tells the problem."""
    answer = RedirectResponse(f"{request.scope.get('root_path', '')}/{_place(back)}", 303, PRIVATE)
    sign_in.jar.drop(request, answer, STARTED)
    if problem:
        sign_in.jar.set(request, answer, PROBLEM, packed(problem), PROBLEM_S_MAX)
    return answer


def _place(back: str | None) -> str:
    """Return a place in our page, "" for what is none: everything else could lead away from this server."""
    return back if back and len(back) <= BACK_CHARS_MAX and _PLACE.fullmatch(back) else ""


def _started(value: str) -> Started | None:
    """Return what the cookie holds; None for what we have not put there."""
    try:
        started = Started(**orjson.loads(unpacked(value)))
    except (orjson.JSONDecodeError, TypeError):
        return None
    return started if all(isinstance(it, str) for it in asdict(started).values()) else None
