"""Who may do what: accounts, tokens, groups, levels. Times in milliseconds since the epoch; no I/O, no clock here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

# Limits of names, and of how many there may be.
ACCOUNT_NAME_CHARS_MAX = 250
GROUP_NAME_CHARS_MAX = 250
TOKEN_NAME_CHARS_MAX = 100
PASSWORD_CHARS_MIN = 8
# Longer ones would only cost time; hashing takes the same however long they are.
PASSWORD_CHARS_MAX = 1_000
ACCOUNTS_MAX = 100_000
GROUPS_MAX = 10_000
TOKENS_OF_ACCOUNT_MAX = 1_000
TOKEN_EXPERIMENTS_MAX = 1_000
LISTED_MAX = 1_000  # accounts, groups, tokens, or grants of one answer
AUDIT_DEFAULT = 100
AUDIT_MAX = 1_000
# Entries that are kept, each some 200 bytes: of signing in and out, as everybody may try to; of what else one account
# did; and of all else.
AUDIT_OF_SIGNING_IN_MAX = 100_000
AUDIT_OF_ACCOUNT_MAX = 100_000
AUDIT_ENTRIES_MAX = 1_000_000

# What people recognise in a file, and scanners for secrets too.
TOKEN_PREFIX = "stepwell_"  # noqa: S105 - no secret


class Level(IntEnum):
    """What somebody may do with an experiment or a registered model; each includes those before it."""

    NONE = 0  # does not learn that it exists
    READ = 1
    WRITE = 2  # log, change, and delete what can be restored
    MANAGE = 3  # rename, delete as a whole, and say who may do what


class Scope(IntEnum):
    """What may be done with a token, at most; its account may be allowed less."""

    READ = 1
    WRITE = 2
    ADMIN = 3  # everything that the account may do


_LEVELS_MAX = {Scope.READ: Level.READ, Scope.WRITE: Level.WRITE, Scope.ADMIN: Level.MANAGE}


class AccountKind(Enum):
    """Whose account it is."""

    USER = "user"
    SERVICE = "service"  # of jobs; it has tokens and no password


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, and what the credential that was shown allows of what the account may do.

    `experiment_ids` are those that a token is limited to, None for no such limit; `expires_time_ms` is when it expires,
    None for never. `means` is how the caller said who it
    is, for the audit: token, password, session, proxy.
    """

    account_id: int
    name: str
    kind: AccountKind = AccountKind.USER
    is_admin: bool = False
    scope: Scope = Scope.ADMIN
    experiment_ids: frozenset[int] | None = None
    token_id: int | None = None
    expires_time_ms: int | None = None
    means: str = ""

    @property
    def administers(self) -> bool:
        """Whether this call may do everything: the account is an admin's, and the credential is not limited."""
        return self.is_admin and self.scope is Scope.ADMIN and self.experiment_ids is None

    @property
    def may_create(self) -> bool:
        """Whether this call may make experiments and registered models."""
        return self.scope is not Scope.READ and self.experiment_ids is None

    @property
    def level_max(self) -> Level:
        """The highest level that the credential allows."""
        return _LEVELS_MAX[self.scope]


# Who calls where there are no accounts: everything is allowed.
ANONYMOUS = Caller(0, "", is_admin=True)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may call. `has_password` tells whether one is set; the hash never leaves the store."""

    account_id: int
    name: str
    kind: AccountKind
    is_admin: bool
    is_active: bool
    has_password: bool
    created_time_ms: int
    last_used_time_ms: int | None
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts that are allowed the same, with the names of its members."""

    group_id: int
    name: str
    created_time_ms: int
    members: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """A token that is to be made; `expires_time_ms` of None: never, `experiment_ids` of None: all."""

    name: str
    scope: Scope
    expires_time_ms: int | None = None
    experiment_ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret, of which only a SHA-256 is stored. `hint` is how the secret begins."""

    token_id: int
    account: str
    name: str
    hint: str
    scope: Scope
    experiment_ids: Sequence[int] | None
    created_time_ms: int
    expires_time_ms: int | None
    last_used_time_ms: int | None
    revoked_time_ms: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the store knows of a credential that was shown, whether it is still good or not."""

    account_id: int
    name: str
    kind: AccountKind
    is_admin: bool
    is_active: bool
    password_hash: str | None = None
    token_id: int | None = None
    scope: Scope = Scope.ADMIN
    experiment_ids: frozenset[int] | None = None
    expires_time_ms: int | None = None
    is_expired: bool = False
    is_revoked: bool = False


class SubjectKind(Enum):
    """To whom something is granted."""

    ACCOUNT = "account"
    GROUP = "group"
    EVERYBODY = "everybody"


class ThingKind(Enum):
    """What is granted."""

    EXPERIMENT = "experiment"
    MODEL = "model"  # registered


@dataclass(frozen=True, slots=True)
class Thing:
    """An experiment (by its id, as text) or a registered model (by its name)."""

    kind: ThingKind
    name: str


@dataclass(frozen=True, slots=True)
class Subject:
    """An account or a group by its name; everybody has none."""

    kind: SubjectKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do with something. `title` is the name of an experiment, for people."""

    subject: Subject
    thing: Thing
    level: Level
    title: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant as it counts for one account: to itself, to a group that it is in, or to everybody."""

    subject: SubjectKind
    kind: ThingKind
    number: int  # of the experiment, or the registered model
    level: Level


@dataclass(frozen=True, slots=True)
class Within:
    """Which things a search may look at: only some (None: all), and not the hidden ones.

    `deleted` tells whether also at what was said of those that are gone: with them, what was granted of them is gone.
    """

    only: frozenset[int] | None = None
    hidden: frozenset[int] = frozenset()
    deleted: bool = False

    def __contains__(self, number: int) -> bool:
        return number not in self.hidden and (self.only is None or number in self.only)

    def chosen(self, numbers: Sequence[int] | None) -> tuple[Sequence[int] | None, Sequence[int]]:
        """Return which of the wanted ones (None: all) are looked at, None for all but those that come second."""
        if numbers is not None:
            return [number for number in numbers if number in self], ()
        if self.only is not None:
            return sorted(self.only - self.hidden), ()
        return None, sorted(self.hidden)


EVERYWHERE = Within(deleted=True)


@dataclass(frozen=True, slots=True)
class Rights:
    """What one account may do, as the grants say it: `default` where they say nothing."""

    default: Level
    experiments: Mapping[int, Level] = field(default_factory=dict)
    models: Mapping[int, Level] = field(default_factory=dict)

    def level(self, kind: ThingKind, number: int) -> Level:
        """Return what the account may do with an experiment or a registered model."""
        return self.of(kind).get(number, self.default)

    def of(self, kind: ThingKind) -> Mapping[int, Level]:
        """Return the levels of all experiments, or registered models, of which the grants say something."""
        return self.experiments if kind is ThingKind.EXPERIMENT else self.models


def rights_of(default: Level, grants: Sequence[Granted]) -> Rights:
    """Return what follows from grants.

    One to the account itself counts first, then the highest of its groups, then what everybody has, then the default.
    """
    order = (SubjectKind.EVERYBODY, SubjectKind.GROUP, SubjectKind.ACCOUNT)
    found: dict[ThingKind, dict[int, Level]] = {kind: {} for kind in ThingKind}
    for subject in order:
        levels: dict[tuple[ThingKind, int], Level] = {}
        for grant in grants:
            if grant.subject is subject:
                key = (grant.kind, grant.number)
                levels[key] = max(grant.level, levels.get(key, Level.NONE))
        for (kind, number), level in levels.items():
            found[kind][number] = level
    return Rights(default, found[ThingKind.EXPERIMENT], found[ThingKind.MODEL])


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, from where. `action` is a word like token.created; never a secret, and no value."""

    number: int
    time_ms: int
    account: str
    action: str
    subject: str
    details: Mapping[str, str]
    origin: str


@dataclass(frozen=True, slots=True)
class AuditWanted:
    """Which entries, the latest first: of one account, of actions that begin with a word, before a number (0: all)."""

    account: str = ""
    action: str = ""
    before_number: int = 0
    limit: int = AUDIT_DEFAULT
