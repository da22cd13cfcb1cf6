"""Composes what stands between the doors and the services: who calls, what they may do, and how much of it."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from stepwell_server.config import Config
from stepwell_server.services.access.calling import Authenticating
from stepwell_server.services.together import Services
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.web.signing_in.no_accounts import SESSION_PATH, no_sessions


@dataclass(frozen=True, slots=True)
class Entrance:
    """`services` are those that doors see, `routes` those about signing in; None where everybody may come in.

    `open_paths` are for those of whom nobody knows yet who they are.
    """

    services: Services
    routes: Sequence[BaseRoute]
    authenticator: Authenticating | None = None
    browsers: Callable[[ASGIApp], ASGIApp] | None = None
    open_paths: Set[str] = frozenset({SESSION_PATH})


async def build_entrance(config: Config, pool: Pool, services: Services) -> Entrance:
    """Build it, and the first account where there is none. Raises what those raise that build its parts."""
    if not config.auth:
        return Entrance(services, no_sessions())
    # Servers without accounts load nothing of this.
    from stepwell_server.access import build_access, make_first_admin
    from stepwell_server.process.rates import Rates
    from stepwell_server.services.access.limiting import Counting, limited
    from stepwell_server.sign_in import OPEN_PATHS, build_sign_in

    sign_in = build_sign_in(pool, config.sign_in)
    access = build_access(pool, [sign_in.source])
    await make_first_admin(pool)
    rates = Rates(config.caller_limits)
    return Entrance(
        limited(access.guarded(services), rates),
        sign_in.routes(access.authenticator, access.permissions),
        Counting(access.authenticator, rates),
        sign_in.browsers,
        OPEN_PATHS,
    )
