"""Params, tags, data sets, models and status of many batches, written inside the commit's transaction."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.histograms import HistogramEntry
from stepwell_server.model.ingest import (
    Batch,
    ConsoleEntry,
    InputEntry,
    ModelPointEntry,
    ParamEntry,
    Rejection,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
)
from stepwell_server.model.runs import LOST_TAG, RUN_NAME_TAG
from stepwell_server.store.ingest.entries.console import write_console
from stepwell_server.store.ingest.entries.histograms import write_histograms
from stepwell_server.store.ingest.entries.inputs import note_inputs
from stepwell_server.store.ingest.entries.model_points import note_model_points
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import by_run, load

_SQL = load("ingest")

# Rejections by the number of their batch.
Rejections = dict[int, list[Rejection]]


async def write_entries(connection: Connection, batches: Mapping[int, Batch]) -> Rejections:
    """Write the entries of all (numbered) batches in the order of their logs; returns what was refused."""
    entries = [(number, batch.run_id, entry) for number, batch in batches.items() for entry in batch.entries]
    params = [(number, run_id, entry) for number, run_id, entry in entries if isinstance(entry, ParamEntry)]
    tag_changes = [
        (number, run_id, entry)
        for number, run_id, entry in entries
        if isinstance(entry, TagEntry | TagRemovalEntry)
    ]
    tags = [(run_id, entry) for _, run_id, entry in tag_changes if isinstance(entry, TagEntry)]
    inputs = [(run_id, entry.used) for _, run_id, entry in entries if isinstance(entry, InputEntry)]
    statuses = [(run_id, entry) for _, run_id, entry in entries if isinstance(entry, StatusEntry)]
    rejections: Rejections = {}
    if len(tags) < len(tag_changes):
        await _change_tags(connection, tag_changes, rejections)
    elif tags:
        await _write_tags(connection, tags)
    changed = {run_id for run_id, _ in statuses} | {run_id for run_id, tag in tags if tag.key == RUN_NAME_TAG}
    if changed:
        await connection.executemany(_SQL["lock_runs"], by_run(changed))
    if tags:
        await _rename_runs(connection, tags)
    if statuses:
        await _write_statuses(connection, statuses)
    if params:
        await _write_params(connection, params, rejections)
    if inputs:
        await note_inputs(connection, inputs)
    model_points = [(run_id, entry) for _, run_id, entry in entries if isinstance(entry, ModelPointEntry)]
    if model_points:
        await note_model_points(connection, model_points)
    of_writers = [
        (batch.run_id, batch.writer_id, entry) for batch in batches.values() for entry in batch.entries
    ]
    histograms = [(run, writer, it) for run, writer, it in of_writers if isinstance(it, HistogramEntry)]
    if histograms:
        await write_histograms(connection, histograms)
    console = [(run, writer, it) for run, writer, it in of_writers if isinstance(it, ConsoleEntry)]
    if console:
        await write_console(connection, console)
    return rejections


async def _write_params(
    connection: Connection, params: Sequence[tuple[int, UUID, ParamEntry]], rejections: Rejections
) -> None:
    first_values: dict[tuple[UUID, str], str] = {}
    for _, run_id, entry in params:
        first_values.setdefault((run_id, entry.key), entry.value)
    if await connection.execute(_SQL["add_params"], *_columns(first_values)) == f"INSERT 0 {len(params)}":
        return  # all of them are new, so none has changed
    changed = await connection.fetch(
        _SQL["changed_params"],
        [run_id for _, run_id, _ in params],
        [entry.key for *_, entry in params],
        [entry.value for *_, entry in params],
    )
    for row in changed:
        number, run_id, entry = params[row["number"] - 1]
        rejections.setdefault(number, []).append(changed_param(run_id, entry, row["value"]))


def changed_param(run_id: UUID, entry: ParamEntry, stored: str) -> Rejection:
    """Say that a param would change."""
    reason = (
        f"param {entry.key!r} of run {run_id.hex} was logged before with the value {_short(stored)} and cannot change "
        f"to {_short(entry.value)}; params are written once, log it under another key or use a tag"
    )
    return Rejection(entry.position, 1, entry.key, InvalidArgumentError.error_code, reason)


def _short(value: str) -> str:
    return repr(value if len(value) <= 100 else value[:97] + "...")


async def _write_tags(connection: Connection, tags: Sequence[tuple[UUID, TagEntry]]) -> None:
    last_values = {(run_id, entry.key): entry.value for run_id, entry in tags}
    await connection.execute(_SQL["set_tags"], *_columns(last_values))


async def _change_tags(
    connection: Connection,
    changes: Sequence[tuple[int, UUID, TagEntry | TagRemovalEntry]],
    rejections: Rejections,
) -> None:
    """Set and remove tags in the order of the logs."""
    values = {
        (run_id, entry.key): entry.value if isinstance(entry, TagEntry) else None
        for _, run_id, entry in changes
    }
    # Also those that go: in the order of all commits, so that two never wait for each other.
    rows = await connection.fetch(
        _SQL["touch_tags"], *_columns({tag: value or "" for tag, value in values.items()})
    )
    there = {(UUID(int=row["run_id"].int), row["key"]): not row["is_new"] for row in rows}
    for number, run_id, entry in changes:
        if isinstance(entry, TagRemovalEntry) and not there[run_id, entry.key]:
            reason = f"run {run_id.hex} has no tag {entry.key!r}"
            refused = Rejection(entry.position, 1, entry.key, NotFoundError.error_code, reason)
            rejections.setdefault(number, []).append(refused)
        there[run_id, entry.key] = isinstance(entry, TagEntry)
    gone = [tag for tag, value in values.items() if value is None]
    if gone:
        await connection.execute(
            _SQL["remove_tags"], [run_id for run_id, _ in gone], [key for _, key in gone]
        )


async def _rename_runs(connection: Connection, tags: Sequence[tuple[UUID, TagEntry]]) -> None:
    names = {run_id: entry.value for run_id, entry in tags if entry.key == RUN_NAME_TAG}
    if names:
        await connection.execute(_SQL["rename_runs"], list(names), list(names.values()))


async def _write_statuses(connection: Connection, statuses: Sequence[tuple[UUID, StatusEntry]]) -> None:
    last = dict(sorted(statuses, key=lambda item: item[0]))
    await connection.execute(
        _SQL["set_statuses"],
        list(last),
        [int(entry.status) for entry in last.values()],
        [entry.end_time_ms for entry in last.values()],
        LOST_TAG,
    )


def _columns(values: dict[tuple[UUID, str], str]) -> tuple[list[UUID], list[str], list[str]]:
    return [run_id for run_id, _ in values], [key for _, key in values], list(values.values())
