"""The rules of views that people give names."""

from collections.abc import Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.exploring import (
    VIEW_ADDRESS_CHARS_MAX,
    VIEW_EXPERIMENTS_MAX,
    VIEW_NAME_CHARS_MAX,
    VIEWS_MAX,
    View,
)
from stepwell_server.store.ports.exploring import ViewStore


class ViewService:
    """Raises what `ports.ViewStore` raises."""

    def __init__(self, store: ViewStore) -> None:
        self._store = store

    async def save(self, experiment_ids: Sequence[int], name: str, address: str, *, replace: bool) -> View:
        """Keep a view under a name.

        Raises:
            InvalidArgumentError: name or address cannot be one, or there are too many views.
        """
        if not 1 <= len(name.strip()) <= VIEW_NAME_CHARS_MAX or not _is_storable(name):
            raise InvalidArgumentError(
                f"the name of a view has 1 to {VIEW_NAME_CHARS_MAX} characters, none of them NUL"
            )
        if len(address) > VIEW_ADDRESS_CHARS_MAX or not _is_storable(address):
            raise InvalidArgumentError(
                f"the address of the view has {len(address):,} characters; at most {VIEW_ADDRESS_CHARS_MAX:,} are"
                " kept, none of them NUL; select, pin or hide fewer runs"
            )
        return await self._store.save(
            _in_order(experiment_ids), name.strip(), address, replace=replace, views_max=VIEWS_MAX
        )

    async def views(self, experiment_ids: Sequence[int], within: Within = EVERYWHERE) -> Sequence[View]:
        """Return the views of exactly these experiments."""
        wanted = _in_order(experiment_ids)
        return await self._store.views(wanted) if all(id_ in within for id_ in wanted) else ()

    async def delete(self, view_id: int) -> None:
        """Remove a view."""
        await self._store.delete(view_id)


def _in_order(experiment_ids: Sequence[int]) -> Sequence[int]:
    if not 1 <= len(experiment_ids) <= VIEW_EXPERIMENTS_MAX:
        raise InvalidArgumentError(
            f"{len(experiment_ids)} experiments are named; a view is of 1 to {VIEW_EXPERIMENTS_MAX}"
        )
    return sorted(set(experiment_ids))


def _is_storable(text: str) -> bool:
    return "\0" not in text
