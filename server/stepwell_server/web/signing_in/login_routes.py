"""Letting a program in without giving it a password: `stepwell login`, after OAuth's device flow (RFC 8628).

    program   makes a secret, and shows a code that follows from it:  {url}/#/login/K3F8-QWXM-...
    person    opens that, signs in if need be, compares the code, and says yes      POST /api/stepwell/v1/logins
    program   asks every few seconds with its secret, and gets a token once         POST /api/stepwell/v1/logins/token

The code is 80 bits of the secret's hash, so nobody finds another secret for it; and nothing is stored before somebody
who is signed in says yes, so nobody else can fill the table.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.services.access.logins import Logins
from stepwell_server.web.admission import origin_of
from stepwell_server.web.signing_in.session_routes import PRIVATE, body_fields

LOGINS_PATH = "/api/stepwell/v1/logins"
TAKE_PATH = f"{LOGINS_PATH}/token"


def login_routes(logins: Logins) -> list[BaseRoute]:
    """Return the routes."""

    async def confirm(request: Request) -> Response:
        match await body_fields(request):
            case {"code": str(code), "name": str(name)}:
                await logins.confirm(code, name)
                return Response(status_code=204, headers=PRIVATE)
        raise InvalidArgumentError('letting a program in takes {"code": "…", "name": "…"}')

    async def take(request: Request) -> Response:
        match await body_fields(request):
            case {"secret": str(secret)}:
                made = await logins.take(secret, origin_of(request.scope))
                if made is None:
                    return Response(status_code=204, headers=PRIVATE)
                return JSONResponse({"account": made.account, "token": made.secret}, headers=PRIVATE)
        raise InvalidArgumentError('asking for a token takes {"secret": "…"}')

    return [
        Route(LOGINS_PATH, confirm, methods=["POST"]),
        Route(TAKE_PATH, take, methods=["POST"]),
    ]
