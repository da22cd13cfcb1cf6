"""Pages of searches of the registry: what is asked for, and what of it an answer holds."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import Within
from stepwell_server.model.registry import ModelVersion, RegisteredModel
from stepwell_server.search.expressions import OrderKey
from stepwell_server.search.parser import parse_filter_aside, parse_order
from stepwell_server.search.queries import RegistrySearch, RowPosition
from stepwell_server.search.subjects import Subject
from stepwell_server.services.paging.searches import make_search_token, read_search_token, search_digest
from stepwell_server.services.sizes import ITEM_BYTES, ROW_BYTES, pairs_bytes, rows_that_fit, texts_bytes

PAGE_SIZE_MAX = 50_000
# What one answer holds of a larger page; the caller goes on with the token.
ANSWER_ROWS_MAX = 1_000

T = TypeVar("T", RegisteredModel, ModelVersion)


class Paging:
    """One search: `search` is for the store, `page` makes an answer of what it found."""

    def __init__(self, subject: Subject, filter_: str, order_by: Sequence[str]) -> None:
        self._subject = subject
        self._filter = filter_
        self._order_by = list(order_by)
        self._digest = search_digest(subject.name, filter_, self._order_by)
        self._rows = 0

    async def search(
        self,
        page_size: int,
        page_size_default: int,
        page_token: str,
        within: Within,
        last: OrderKey | None = None,
    ) -> RegistrySearch:
        """Return what the store is asked; `last` decides among equals. Raises InvalidArgumentError."""
        if not 0 <= page_size <= PAGE_SIZE_MAX:
            raise InvalidArgumentError(
                f"the page size is {page_size}; it has to be from 1 to {PAGE_SIZE_MAX:,}, or 0"
            )
        order = parse_order(self._order_by, self._subject)
        if last is not None and all(key.field != last.field for key in order):
            order = (*order, last)
        self._rows = min(page_size or page_size_default, ANSWER_ROWS_MAX)
        # One more than asked for tells whether there is another page.
        after = read_search_token(self._digest, page_token, order)
        parsed = await parse_filter_aside(self._filter, self._subject)
        return RegistrySearch(parsed, order, self._rows + 1, after, within)

    def page(
        self, found: Sequence[tuple[T, RowPosition]], bytes_of: Callable[[T], int]
    ) -> tuple[Sequence[T], str]:
        """Return the rows of an answer and the token of the next page, empty after the last."""
        count = rows_that_fit([bytes_of(row) for row, _ in found[: self._rows]])
        token = make_search_token(self._digest, found[count - 1][1]) if len(found) > count else ""
        return [row for row, _ in found[:count]], token


def model_bytes(model: RegisteredModel) -> int:
    """Return about how large a registered model is on the wire."""
    texts = texts_bytes((model.name, model.description)) + _aliases_bytes(model.aliases)
    return ROW_BYTES + texts + pairs_bytes(model.tags) + sum(map(version_bytes, model.latest_versions))


def version_bytes(version: ModelVersion) -> int:
    """Return about how large a version is on the wire."""
    texts = texts_bytes((version.name, version.description, version.source, version.storage_uri))
    return ROW_BYTES + texts + _aliases_bytes(version.aliases) + pairs_bytes(version.tags)


def _aliases_bytes(aliases: Collection[str]) -> int:
    return ITEM_BYTES * len(aliases) + texts_bytes(aliases)
