"""What access control asks of the store. All methods raise `UnavailableError` when the database cannot be reached."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.access import (
    Account,
    AccountKind,
    AuditEntry,
    AuditWanted,
    Grant,
    Group,
    Level,
    Rights,
    Shown,
    Subject,
    Thing,
    ThingKind,
    Token,
    TokenSpec,
)


class CredentialStore(Protocol):
    """What is known of credentials that were shown. When they were used last is noted once a minute at most."""

    async def shown_token(self, sha256: bytes) -> Shown | None:
        """Return what is known of a token, and note that it is used."""
        ...

    async def shown_account(self, name: str) -> Shown | None:
        """Return what is known of an account."""
        ...

    async def note_used(self, account_id: int) -> None:
        """Note that an account is used."""
        ...

    async def account_of_subject(
        self, subject: str, name: str, alike: str, groups: Sequence[str], *, is_admin: bool | None
    ) -> Shown:
        """Return the account of somebody who signed on elsewhere, made if there is none, with the groups named there.

        `is_admin` of None leaves that as it is. Raises AlreadyExistsError when another account has the name, or one
        that is `alike`.
        """
        ...


class AccountStore(Protocol):
    """Accounts and groups."""

    async def make_first_admin(self, name: str, password_hash: str) -> bool:
        """Make an admin if there is no account; tells whether there was none."""
        ...

    async def add(
        self, name: str, alike: str, kind: AccountKind, password_hash: str | None, *, is_admin: bool
    ) -> Account:
        """Add an account. Raises AlreadyExistsError when there is one of the name, or one that is `alike`."""
        ...

    async def get(self, name: str) -> Account:
        """Return an account. Raises NotFoundError."""
        ...

    async def list(self, after: str, limit: int) -> Sequence[Account]:
        """Return accounts by name, after one."""
        ...

    async def change(
        self, name: str, *, password_hash: str | None, is_admin: bool | None, is_active: bool | None
    ) -> Account:
        """Change what is not None; another password ends all sessions of browsers.

        Raises NotFoundError, and InvalidStateError when no admin would be left.
        """
        ...

    async def remove(self, name: str) -> None:
        """Remove an account with its tokens and grants. Raises as `change`."""
        ...

    async def add_group(self, name: str, alike: str) -> Group:
        """Add a group. Raises AlreadyExistsError as `add`."""
        ...

    async def groups(self, after: str, limit: int) -> Sequence[Group]:
        """Return groups by name, after one."""
        ...

    async def remove_group(self, name: str) -> None:
        """Remove a group with its grants. Raises NotFoundError."""
        ...

    async def change_members(self, group: str, added: Sequence[str], removed: Sequence[str]) -> Group:
        """Put accounts into a group, and take others out. Raises NotFoundError."""
        ...


class TokenStore(Protocol):
    """Tokens."""

    async def add(self, account_id: int, spec: TokenSpec, sha256: bytes, hint: str, tokens_max: int) -> Token:
        """Add a token. Raises InvalidStateError when the account has `tokens_max`, NotFoundError when it is gone.

        Of those that are good no more, the latest `tokens_max` are kept.
        """
        ...

    async def list(self, account: str | None, limit: int) -> Sequence[Token]:
        """Return tokens of an account (None: of all), the latest first."""
        ...

    async def get(self, token_id: int, account_id: int | None) -> Token:
        """Return a token, of one account if that is given. Raises NotFoundError."""
        ...

    async def revoke(self, token_id: int) -> Token:
        """Revoke a token. Raises NotFoundError."""
        ...


class GrantStore(Protocol):
    """Who may do what with which experiment or registered model."""

    async def rights(self, account_id: int) -> Rights:
        """Return what an account may do."""
        ...

    async def grant(self, subject: Subject, thing: Thing, level: Level) -> Grant:
        """Say what somebody may do with something, in place of what was said before. Raises NotFoundError."""
        ...

    async def own(self, account_id: int, kind: ThingKind, name: str) -> None:
        """Let an account manage what it has just made."""
        ...

    async def revoke(self, subject: Subject, thing: Thing) -> bool:
        """Take a grant back; tells whether there was one. Raises NotFoundError."""
        ...

    async def grants(self, thing: Thing | None, subject: Subject | None, limit: int) -> Sequence[Grant]:
        """Return grants of something, or to somebody, or all (both None). Raises NotFoundError."""
        ...

    async def default(self) -> Level:
        """Return what everybody may do where no grant says anything."""
        ...

    async def set_default(self, level: Level) -> None:
        """Say what that is."""
        ...


class OwnerStore(Protocol):
    """To which experiment, or registered model, something belongs; what does not exist is left out."""

    async def experiments_of(self, ids: Collection[UUID]) -> Mapping[UUID, int]:
        """Return the experiments of runs and logged models."""
        ...

    async def existing(self, experiment_ids: Collection[int]) -> Collection[int]:
        """Return which experiments there are."""
        ...

    async def experiment_named(self, name: str) -> int | None:
        """Return the experiment that a name means, active or deleted."""
        ...

    async def model_named(self, name: str) -> int | None:
        """Return the number of a registered model."""
        ...

    async def experiments_of_view(self, view_id: int) -> Sequence[int]:
        """Return the experiments of a view."""
        ...


class AuditStore(Protocol):
    """The audit."""

    async def note(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries; their numbers and times are given here.

        Of signing in, the latest AUDIT_OF_SIGNING_IN_MAX are kept, of all else AUDIT_ENTRIES_MAX, of one account
        AUDIT_OF_ACCOUNT_MAX: so nobody pushes out of the audit what others did.
        """
        ...

    async def list(self, wanted: AuditWanted) -> Sequence[AuditEntry]:
        """Return entries, the latest first."""
        ...
