"""All services of accounts, for the doors that lead to them."""

from dataclasses import dataclass

from stepwell_server.services.access.accounts import AccountService
from stepwell_server.services.access.audit import AuditService
from stepwell_server.services.access.grants import GrantService
from stepwell_server.services.access.tokens import TokenService


@dataclass(frozen=True, slots=True)
class AccessServices:
    """Accounts, and what they may do."""

    accounts: AccountService
    tokens: TokenService
    grants: GrantService
    audit: AuditService
