"""What a server says of signing in that knows no accounts."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

SESSION_PATH = "/api/stepwell/v1/session"


def no_sessions() -> list[BaseRoute]:
    """Return what there is of them where the server knows no accounts: that it knows none."""

    async def get(request: Request) -> Response:
        return JSONResponse({"accounts": False})

    return [Route(SESSION_PATH, get, methods=["GET"])]
