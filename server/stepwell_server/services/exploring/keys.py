"""What a table of runs may show and a filter may name: the keys of params, metrics and tags."""

from collections.abc import Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.runs import (
    KEY_PATTERN_CHARS_MAX,
    KEY_RUNS_MAX,
    KEYS_DEFAULT,
    KEYS_MAX,
    Keys,
    ViewType,
)
from stepwell_server.search.patterns import check_pattern
from stepwell_server.services.search import check_experiments
from stepwell_server.store.ports.tracking import KeyStore


class KeyService:
    """Raises what `ports.KeyStore` raises."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def keys(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        pattern: str,
        limit: int,
        within: Within = EVERYWHERE,
    ) -> Keys:
        """Return keys of the latest runs, `limit` of each kind (0: the usual number).

        Raises:
            InvalidArgumentError: the pattern or the limit cannot be one.
        """
        check_experiments(experiment_ids)
        if not 0 <= limit <= KEYS_MAX:
            raise InvalidArgumentError(f"the limit is {limit}; it has to be from 1 to {KEYS_MAX:,}, or 0")
        if len(pattern) > KEY_PATTERN_CHARS_MAX or "\0" in pattern:
            raise InvalidArgumentError(
                f"a pattern has at most {KEY_PATTERN_CHARS_MAX} characters, none of them NUL"
            )
        try:
            check_pattern(pattern)
        except ValueError as unsafe:
            raise InvalidArgumentError(str(unsafe)) from None
        chosen, hidden = within.chosen(experiment_ids)
        return await self._store.keys(chosen, view, pattern, limit or KEYS_DEFAULT, KEY_RUNS_MAX, hidden)
