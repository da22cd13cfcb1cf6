"""What the caller may do with what. What he may not read is, for him, not there: in words, and in what is looked up.

Two caches make it cheap: the rights of an account for RIGHTS_CACHE_S, and the experiments of runs that an account was
found to be allowed to read; a run's experiment never changes. Whoever is not let through by them is judged by the
database alone, in the same statements whether something is missing or forbidden.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from stepwell_server.errors import AlreadyExistsError, NotFoundError, PermissionDeniedError
from stepwell_server.model.access import EVERYWHERE, Caller, Level, Rights, ThingKind, Within
from stepwell_server.model.logged_models import model_name
from stepwell_server.services import validation
from stepwell_server.services.access.calling import caller
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.store.ports.access import GrantStore, OwnerStore
from stepwell_server.store.ports.tracking import ExperimentStore

# How long grants are believed that other processes of the server may have taken back meanwhile.
RIGHTS_CACHE_S = 10.0
RIGHTS_CACHED_MAX = 10_000
# Runs and logged models whose experiments are remembered, each for each account: some 200 bytes.
OWNERS_CACHED_MAX = 50_000

# Those of an admin, whose token may be limited all the same.
ALL_RIGHTS = Rights(Level.MANAGE)

_DOING = {Level.READ: "read", Level.WRITE: "write to", Level.MANAGE: "manage"}


class Permissions:
    """Raises NotFoundError for what the caller may not read, PermissionDeniedError for what he may only read."""

    def __init__(self, grants: GrantStore, owners: OwnerStore, experiments: ExperimentStore) -> None:
        self._grants = grants
        self._owners = owners
        self._experiments_made = experiments
        self._rights: Fresh[int, Rights] = Fresh(RIGHTS_CACHE_S, RIGHTS_CACHED_MAX)
        self._experiments: OrderedDict[tuple[int, UUID], int] = OrderedDict()

    def forget(self) -> None:
        """Believe no rights that were read before: a grant has changed."""
        self._rights.forget()

    async def require_admin(self) -> None:
        """Let admins through."""
        if not caller().administers:
            raise PermissionDeniedError(
                "only an admin may do this, with a password or a token of the scope admin, "
                "as `stepwell login --scope admin` makes one"
            )

    async def require_owned(self, ids: Sequence[UUID], level: Level, what: str = "run") -> None:
        """Let through who may do that with all of these runs, or logged models."""
        who = caller()
        if who.administers:
            return
        rights = await self._rights_of(who)
        experiments = self._remembered(who, rights, ids)
        if experiments is None:
            experiments, rights = await self._looked_up(who, ids)
            for id_ in ids:
                if id_ not in experiments:
                    raise no_such(what, id_)
        await self._require(who, rights, ThingKind.EXPERIMENT, set(experiments.values()), level)

    async def may(self, id_: UUID, level: Level) -> bool:
        """Tell whether the caller may do that with a run, or logged model."""
        try:
            await self.require_owned([id_], level)
        except (NotFoundError, PermissionDeniedError):
            return False
        return True

    async def readable(self, ids: Sequence[UUID]) -> Collection[UUID]:
        """Return which of these runs, or logged models, the caller may read."""
        who = caller()
        if who.administers:
            return ids
        experiments = self._remembered(who, await self._rights_of(who), ids)
        return set(ids if experiments is not None else (await self._looked_up(who, ids))[0])

    async def hidden(self, ids: Collection[UUID]) -> Collection[UUID]:
        """Return which of these runs, or logged models, there are that the caller may not read."""
        if not ids or caller().administers:
            return ()
        unread = set(ids) - set(await self.readable(list(ids)))
        return set(await self._owners.experiments_of(unread)) if unread else ()

    async def is_known(self, id_: UUID) -> bool:
        """Tell whether there is a run, or logged model, of an id, whoever may see it."""
        return (caller().account_id, id_) in self._experiments or bool(
            await self._owners.experiments_of([id_])
        )

    async def require_experiments(self, ids: Sequence[int], level: Level) -> None:
        """Let through who may do that with all of these experiments; whether they exist, the service says likewise."""
        who = caller()
        if who.administers:
            return
        rights = await self._rights_of(who)
        if not all(_level(who, rights, ThingKind.EXPERIMENT, id_) for id_ in ids):
            rights = await self._rights_anew(who)
        for id_ in ids:
            if not _level(who, rights, ThingKind.EXPERIMENT, id_):
                raise NotFoundError(f"there is no experiment with id {id_}")
        await self._require(who, rights, ThingKind.EXPERIMENT, ids, level)

    async def require_existing(self, ids: Sequence[int]) -> None:
        """Let experiments through that there are, for a service that does not look."""
        missing = set(ids) - set(await self._owners.existing(ids))
        if missing:
            raise NotFoundError(f"there is no experiment with id {min(missing)}")

    async def require_experiment_named(self, name: str, level: Level) -> None:
        """Let through who may do that with the experiment that a name means."""
        found = await self._owners.experiment_named(name)
        await self._require_one(
            ThingKind.EXPERIMENT, found, level, f"there is no experiment with the name {name!r}"
        )

    async def require_model(self, name: str, level: Level) -> None:
        """Let through who may do that with a registered model."""
        if not caller().administers:
            found = await self._owners.model_named(name)
            await self._require_one(
                ThingKind.MODEL, found, level, f"Registered Model with name={name!r} not found"
            )

    async def require_place(self, experiment_id: int | None, experiment_name: str | None) -> None:
        """Let through who may write to an experiment, by id or name; one of a new name is made, and is the caller's.

        It is made here, and not where it is written to: so nobody gets to manage what another made meanwhile.
        """
        if experiment_id is not None:
            await self.require_experiments([experiment_id], Level.WRITE)
        elif experiment_name is not None and not caller().administers:
            found = await self._owners.experiment_named(experiment_name)
            if found is None:
                found = await self._made(experiment_name)
            rights = await self._rights_of(caller())
            await self._require(caller(), rights, ThingKind.EXPERIMENT, [found], Level.WRITE)

    async def _made(self, name: str) -> int:
        self.require_creating()
        validation.check_experiment_name(name)
        try:
            made = await self._experiments_made.create_experiment(name, "", {})
        except AlreadyExistsError:  # somebody else was faster
            found = await self._owners.experiment_named(name)
            if found is None:
                raise
            return found
        await self.own(ThingKind.EXPERIMENT, str(made.experiment_id))
        return made.experiment_id

    def require_creating(self) -> None:
        """Let through who may make experiments and registered models; they are theirs to manage then."""
        who = caller()
        if not who.may_create:
            limit = (
                "is limited to reading" if who.experiment_ids is None else "is limited to some experiments"
            )
            raise PermissionDeniedError(
                f"the token {limit}, so it cannot make an experiment or a registered model"
            )

    async def within(self, kind: ThingKind, level: Level) -> Within:
        """Return with which experiments, or registered models, the caller may do that."""
        who = caller()
        return EVERYWHERE if who.administers else within(who, await self._rights_of(who), kind, level)

    async def levels_of_experiments(self, ids: Sequence[int]) -> Mapping[int, Level]:
        """Return what the caller may do with experiments; what he may not read is left out, like what there is not."""
        who = caller()
        rights = await self._rights_of(who)
        existing = await self._owners.existing(ids)
        levels = {id_: _level(who, rights, ThingKind.EXPERIMENT, id_) for id_ in ids if id_ in existing}
        return {id_: level for id_, level in levels.items() if level}

    async def levels_of_models(self, names: Sequence[str]) -> Mapping[str, Level]:
        """Return the same of registered models."""
        who = caller()
        rights = await self._rights_of(who)
        numbers = {name: await self._owners.model_named(name) for name in names}
        levels = {
            name: _level(who, rights, ThingKind.MODEL, number)
            for name, number in numbers.items()
            if number is not None
        }
        return {name: level for name, level in levels.items() if level}

    async def require_view(self, view_id: int, level: Level) -> None:
        """Let through who may do that with all experiments of a view."""
        ids = [] if caller().administers else await self._owners.experiments_of_view(view_id)
        try:
            await self.require_experiments(ids, level)
        except NotFoundError:
            raise NotFoundError(f"there is no view {view_id}; somebody may have deleted it") from None

    async def own(self, kind: ThingKind, name: str) -> None:
        """Let the caller manage what he has just made."""
        who = caller()
        if who.account_id and not who.is_admin:
            await self._grants.own(who.account_id, kind, name)
            self.forget()

    async def _require_one(self, kind: ThingKind, number: int | None, level: Level, missing: str) -> None:
        who = caller()
        if who.administers:
            return
        rights = await self._rights_of(who)
        if number is None or not _level(who, rights, kind, number):
            rights = await self._rights_anew(who)
        if number is None or not _level(who, rights, kind, number):
            raise NotFoundError(missing)
        await self._require(who, rights, kind, [number], level)

    async def _require(
        self, who: Caller, rights: Rights, kind: ThingKind, numbers: Collection[int], level: Level
    ) -> None:
        """Raise PermissionDeniedError unless the level is reached everywhere; the caller knows that they exist."""
        if all(_level(who, rights, kind, number) >= level for number in numbers):
            return
        rights = await self._rights_anew(who)  # another process of the server may have just granted it
        for number in numbers:
            if _level(who, rights, kind, number) < level:
                raise _denied(who, rights, kind, number, level)

    async def _rights_of(self, who: Caller) -> Rights:
        if who.is_admin:
            return ALL_RIGHTS
        account_id = who.account_id
        known = self._rights.known(account_id)
        return known or await self._rights.get(account_id, lambda: self._grants.rights(account_id))

    async def _rights_anew(self, who: Caller) -> Rights:
        if who.is_admin:
            return ALL_RIGHTS
        return await self._rights.anew(who.account_id, lambda: self._grants.rights(who.account_id))

    def _remembered(self, who: Caller, rights: Rights, ids: Sequence[UUID]) -> Mapping[UUID, int] | None:
        """Return the experiments of ids if all are remembered, and may be read."""
        found = {}
        for id_ in ids:
            experiment = self._experiments.get((who.account_id, id_))
            if experiment is None or not _level(who, rights, ThingKind.EXPERIMENT, experiment):
                return None
            found[id_] = experiment
        return found

    async def _looked_up(self, who: Caller, ids: Sequence[UUID]) -> tuple[Mapping[UUID, int], Rights]:
        """Return the experiments of what there is, and may be read; and by which rights."""
        owners = await self._owners.experiments_of(ids)
        rights = await self._rights_anew(who)
        readable = {
            id_: experiment
            for id_, experiment in owners.items()
            if _level(who, rights, ThingKind.EXPERIMENT, experiment)
        }
        for id_, experiment in readable.items():
            self._experiments[who.account_id, id_] = experiment
        while len(self._experiments) > OWNERS_CACHED_MAX:
            self._experiments.popitem(last=False)
        return readable, rights


def within(who: Caller, rights: Rights, kind: ThingKind, level: Level) -> Within:
    """Return where a search of a caller may look who needs a level there."""
    if who.level_max < level or (kind is ThingKind.MODEL and who.experiment_ids is not None):
        return Within(frozenset())
    levels = rights.of(kind)
    limit = who.experiment_ids
    if rights.default >= level:
        return Within(limit, frozenset(number for number, found in levels.items() if found < level))
    allowed = frozenset(number for number, found in levels.items() if found >= level)
    return Within(allowed if limit is None else allowed & limit)


def _level(who: Caller, rights: Rights, kind: ThingKind, number: int) -> Level:
    """Return what a caller may do with something: what its account may, as far as the credential goes."""
    if who.experiment_ids is not None and (kind is ThingKind.MODEL or number not in who.experiment_ids):
        return Level.NONE
    return min(rights.level(kind, number), who.level_max)


def _denied(who: Caller, rights: Rights, kind: ThingKind, number: int, level: Level) -> PermissionDeniedError:
    named = f"experiment {number}" if kind is ThingKind.EXPERIMENT else "this registered model"
    if who.level_max < level:
        return PermissionDeniedError(
            f"the token's scope is {who.scope.name.lower()}, which does not let it {_DOING[level]} {named}"
        )
    return PermissionDeniedError(
        f"{who.name!r} may not {_DOING[level]} {named}; who manages it can change that with `stepwell access grant`"
    )


def no_such(what: str, id_: UUID) -> NotFoundError:
    """Return the error for a run, a logged model, or one of both ("owner") that is not there for the caller."""
    if what == "model":
        return NotFoundError(f"Logged model with ID '{model_name(id_)}' not found.")
    if what == "owner":
        return NotFoundError(f"there is no run with id {id_.hex}, and no model of this id")
    return NotFoundError(f"there is no run with id {id_.hex}")
