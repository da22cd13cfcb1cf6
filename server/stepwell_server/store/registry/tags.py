"""Tags of registered models and of versions."""

from collections.abc import Mapping

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.registry import TAGS_BYTES_MAX, ChangeKind
from stepwell_server.store import sql
from stepwell_server.store.registry.journal import Change

_QUERIES = sql.load("registry")


async def set_tags(
    change: Change, tags: Mapping[str, str], version: int = 0, version_id: int | None = None
) -> None:
    """Write tags over what is there, of the model or of one of its versions, and note those that differ.

    Raises:
        InvalidArgumentError: they would be too large together.
    """
    if not tags:
        return
    of = "model" if version_id is None else "version"
    owner = change.model_number if version_id is None else version_id
    rows = await change.connection.fetch(_QUERIES[f"{of}_tags"], owner, list(tags))
    before = {row["key"]: row["value"] for row in rows}
    await change.connection.execute(_QUERIES[f"set_{of}_tags"], owner, list(tags), list(tags.values()))
    size = await change.connection.fetchval(_QUERIES[f"{of}_tags_bytes"], owner)
    if size > TAGS_BYTES_MAX:
        raise InvalidArgumentError(
            f"all tags together would have {size:,} bytes, at most {TAGS_BYTES_MAX:,} are allowed; remove some"
        )
    for key, value in sorted(tags.items()):
        if before.get(key) != value:
            change.note(ChangeKind.TAG_SET, version, key, before.get(key, ""), value)
