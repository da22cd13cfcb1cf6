"""What whoever is signed in may do with some things, so that the page offers nothing else.

    GET /api/stepwell/v1/session/rights?experiment=3&experiment=4&model=walks
        {"experiments": {"3": 2}, "models": {"walks": 1}}     1 read, 2 write, 3 manage

What one may not read is left out, like what there is not.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.services.access.permissions import Permissions
from stepwell_server.web.signing_in.no_accounts import SESSION_PATH
from stepwell_server.web.signing_in.session_routes import PRIVATE

# As many as the page shows at once.
EXPERIMENTS_MAX = 1_000
MODELS_MAX = 50
BIGINT_MAX = 2**63


def rights_routes(permissions: Permissions) -> list[BaseRoute]:
    """Return the route."""

    async def rights(request: Request) -> Response:
        ids = [_number(text) for text in request.query_params.getlist("experiment")]
        names = request.query_params.getlist("model")
        if len(ids) > EXPERIMENTS_MAX or len(names) > MODELS_MAX:
            raise InvalidArgumentError(
                f"ask for {EXPERIMENTS_MAX:,} experiments and {MODELS_MAX} registered models at most"
            )
        experiments = await permissions.levels_of_experiments(ids)
        models = await permissions.levels_of_models(names)
        return JSONResponse(
            {"experiments": {str(id_): level for id_, level in experiments.items()}, "models": dict(models)},
            headers=PRIVATE,
        )

    return [Route(f"{SESSION_PATH}/rights", rights, methods=["GET"])]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < BIGINT_MAX):
        raise InvalidArgumentError(f"{text[:40]!r} is not the id of an experiment")
    return int(text)
