"""The rules of grants: who may do what with which experiment or registered model."""

from collections.abc import Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import LISTED_MAX, Grant, Level, Subject, SubjectKind, Thing, ThingKind
from stepwell_server.services.access.permissions import Permissions
from stepwell_server.store.ports.access import GrantStore

ID_DIGITS_MAX = 18


class GrantService:
    """Raises what `ports.GrantStore` raises, and InvalidArgumentError."""

    def __init__(self, store: GrantStore, permissions: Permissions) -> None:
        self._store = store
        self._permissions = permissions

    async def grant(self, subject: Subject, thing: Thing, level: Level) -> Grant:
        """Say what somebody may do with something, in place of what was said before."""
        _check(subject)
        _check_thing(thing)
        granted = await self._store.grant(subject, thing, level)
        self._permissions.forget()
        return granted

    async def revoke(self, subject: Subject, thing: Thing) -> bool:
        """Take a grant back; tells whether there was one."""
        _check(subject)
        _check_thing(thing)
        found = await self._store.revoke(subject, thing)
        self._permissions.forget()
        return found

    async def of(self, thing: Thing) -> tuple[Sequence[Grant], Level]:
        """Return the grants of something, and what everybody else may do."""
        _check_thing(thing)
        return await self._store.grants(thing, None, LISTED_MAX), await self._store.default()

    async def all(self, subject: Subject | None) -> tuple[Sequence[Grant], Level]:
        """Return the grants to somebody, or all; and what everybody may do where they say nothing."""
        if subject is not None:
            _check(subject)
        return await self._store.grants(None, subject, LISTED_MAX), await self._store.default()

    async def set_default(self, level: Level) -> None:
        """Say what everybody may do where no grant says anything."""
        await self._store.set_default(level)
        self._permissions.forget()


def _check(subject: Subject) -> None:
    if (subject.kind is SubjectKind.EVERYBODY) == bool(subject.name):
        raise InvalidArgumentError("name an account or a group; everybody has no name")


def is_experiment_id(text: str) -> bool:
    """Tell whether a text is the id of an experiment, as there is one way alone to write it."""
    return text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX and str(int(text)) == text


def _check_thing(thing: Thing) -> None:
    if thing.kind is ThingKind.EXPERIMENT and not is_experiment_id(thing.name):
        raise InvalidArgumentError(f"{thing.name[:60]!r} is not the id of an experiment")
    if not thing.name or "\0" in thing.name:
        raise InvalidArgumentError("name an experiment, by its id, or a registered model, by its name")
