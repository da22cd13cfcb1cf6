"""Composes access control: its stores and services, and the services that doors see, each behind its rules."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import click

from stepwell_server.process.logger import get_logger
from stepwell_server.services.access.accounts import AccountService
from stepwell_server.services.access.audit import Audit, AuditService
from stepwell_server.services.access.authentication import Authenticator, Source
from stepwell_server.services.access.grants import GrantService
from stepwell_server.services.access.guard import Guard
from stepwell_server.services.access.passwords import Passwords
from stepwell_server.services.access.permissions import Permissions
from stepwell_server.services.access.table import ACCESS_RULES, RULES
from stepwell_server.services.access.together import AccessServices
from stepwell_server.services.access.tokens import TokenService
from stepwell_server.services.together import Services
from stepwell_server.store.access.accounts import PostgresAccountStore
from stepwell_server.store.access.audit import PostgresAuditStore
from stepwell_server.store.access.credentials import PostgresCredentialStore
from stepwell_server.store.access.grants import PostgresGrantStore
from stepwell_server.store.access.owners import PostgresOwnerStore
from stepwell_server.store.access.tokens import PostgresTokenStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.experiments import PostgresExperimentStore

FIRST_ADMIN = "admin"
PASSWORD_VARIABLE = "STEPWELL_ADMIN_PASSWORD"  # noqa: S105 - its name
PASSWORD_BYTES = 18
# What `Services` has beside services, and those that are guarded by rules of their own.
UNGUARDED = frozenset({"draining", "holding", "access"})

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """Access control of one server. `services` are unguarded."""

    authenticator: Authenticator
    permissions: Permissions
    passwords: Passwords
    guard: Guard
    services: AccessServices

    def guarded(self, services: Services) -> Services:
        """Return services as doors see them. None is left without rules."""
        assert {it.name for it in fields(services)} - UNGUARDED == RULES.keys(), "a service has no rules"
        behind = {name: self.guard.around(getattr(services, name), rules) for name, rules in RULES.items()}
        own = {
            name: self.guard.around(getattr(self.services, name), rules)
            for name, rules in ACCESS_RULES.items()
        }
        return replace(services, **behind, access=AccessServices(**own))


def build_access(pool: Pool, sources: Sequence[Source] = ()) -> Access:
    """Build access control; `sources` find out who calls by something else than the header Authorization."""
    accounts, tokens, grants = PostgresAccountStore(pool), PostgresTokenStore(pool), PostgresGrantStore(pool)
    audits = PostgresAuditStore(pool)
    audit, passwords = Audit(audits), Passwords()
    authenticator = Authenticator(PostgresCredentialStore(pool), passwords, audit, sources)
    permissions = Permissions(grants, PostgresOwnerStore(pool), PostgresExperimentStore(pool))
    services = AccessServices(
        AccountService(accounts, passwords, authenticator, permissions),
        TokenService(tokens, accounts, authenticator),
        GrantService(grants, permissions),
        AuditService(audits),
    )
    return Access(authenticator, permissions, passwords, Guard(permissions, audit), services)


async def make_first_admin(pool: Pool) -> None:
    """Make an admin where there is no account yet, with the password of the environment, or one that is told once.

    Raises:
        InvalidArgumentError: the password of the environment cannot be one.
    """
    given = os.environ.get(PASSWORD_VARIABLE)
    password = given or secrets.token_urlsafe(PASSWORD_BYTES)
    accounts = PostgresAccountStore(pool)
    if await accounts.list("", 1):
        return
    if not await accounts.make_first_admin(FIRST_ADMIN, await Passwords().hash(password, FIRST_ADMIN)):
        return  # another process of the server was faster
    log.info("the first account was made", name=FIRST_ADMIN)
    if not given:
        click.echo(
            f"The first account is {FIRST_ADMIN!r} with the password {password} which is shown only now; "
            "change it with `stepwell users password`.",
            err=True,
        )
