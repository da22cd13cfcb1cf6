"""The files of a model in its source run: the same contents, shown at a second place, so no bytes are copied.

The folder `<name>/` of a run shows the files of its newest READY model of that name. Whatever changes that (a model
becomes READY, gets other files, is deleted or restored) makes the folder anew, in the transaction of the change. The
lock of a model is taken before that of its run.
"""

from uuid import UUID

from stepwell_server.model.artifacts import PATH_BYTES_MAX
from stepwell_server.store import sql
from stepwell_server.store.content.references import below, counted, drop_references, lock, uuid_of
from stepwell_server.store.postgres.pool import Connection

_QUERIES = sql.load("model_files")


async def show_in_run(connection: Connection, model_id: UUID) -> None:
    """Let the source run of a model show what it has to show under the model's name; the model is locked.

    Where the run has files of its own that do not go together with the model's, the folder stays as it is.
    """
    model = await connection.fetchrow(_QUERIES["model"], model_id)
    if model is None or model["source_run_id"] is None:
        return
    run_id, name = uuid_of(model["source_run_id"]), model["name"]
    await lock(connection, run_id)
    if not await connection.fetchval(_QUERIES["run"], run_id, model["experiment_id"]):
        return
    gone = counted(await connection.fetch(_QUERIES["unlink"], run_id, name, *below(name)))
    newest = await connection.fetchval(_QUERIES["newest"], run_id, name)
    if newest is not None:
        for content_id, number in (await _link(connection, run_id, newest, name)).items():
            gone[content_id] = gone.get(content_id, 0) + number
    await drop_references(connection, gone)


async def _link(connection: Connection, run_id: UUID, model_id: UUID, name: str) -> dict[UUID, int]:
    """Show the files of a model; returns what they take the place of."""
    if await connection.fetchval(_QUERIES["cannot_link"], run_id, model_id, name, PATH_BYTES_MAX):
        return {}
    replaced = counted(await connection.fetch(_QUERIES["replaced"], run_id, model_id, name))
    await _count(connection, model_id, "")
    await connection.execute(_QUERIES["link"], run_id, model_id, name)
    return replaced


async def adopt_from_run(connection: Connection, model_id: UUID, run_id: UUID, folder: str) -> None:
    """Give a new model the files that its source run has below a folder; the model is locked."""
    await lock(connection, run_id)
    await _count(connection, run_id, folder)
    first, behind = below(folder)
    await connection.execute(_QUERIES["adopt"], run_id, model_id, first, behind, len(first))
    await connection.execute(_QUERIES["mark"], run_id, model_id, first, behind)


async def _count(connection: Connection, owner_id: UUID, folder: str) -> None:
    """Count once more what is below a folder."""
    await connection.execute(_QUERIES["lock_contents"], owner_id, *below(folder))
    await connection.execute(_QUERIES["count"], owner_id, *below(folder))
