"""Brings a database to the form that this program knows: numbered files, each applied once, never changed.

Where the tables are spread over several machines, what a migration adds is spread in the same transaction: a line
`-- place: table` says when. tests/sql_rules/migrations.py holds migrations to it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from stepwell_server.config import PoolerOption
from stepwell_server.errors import StartupError
from stepwell_server.process.logger import get_logger
from stepwell_server.store import sql
from stepwell_server.store.postgres.engines import engine_of
from stepwell_server.store.postgres.placing import placing
from stepwell_server.store.postgres.pool import SEQUENTIAL, Connection, describe, first_connection
from stepwell_server.store.postgres.pooler import Database, is_pooled, set_local
from stepwell_server.store.postgres.rewriting import rewriting, rewritten_tables

POSTGRESQL_VERSION_MIN = 14
ADVISORY_LOCK_KEY = int.from_bytes(b"stepwell")  # one server migrates; the others wait for it

_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_PLACE = re.compile(r"^-- place: (?P<table>\w+)$", re.MULTILINE)
# What Citus does not pass on to other machines, and nobody misses there.
_ALONE = re.compile(r"^-- one machine alone$", re.MULTILINE)
_CREATED = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_VIEWS = re.compile(r"^CREATE (?:OR REPLACE )?VIEW (\w+)", re.MULTILINE)
_QUERIES = sql.load("migrations")
_TABLES = sql.load("distribution")["tables"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step, from the file `<version>_<name>.sql`."""

    version: int
    name: str
    text: str

    @property
    def file_name(self) -> str:
        """What it is called where it is told of."""
        return f"{self.version:04}_{self.name}"

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def known_migrations() -> Sequence[Migration]:
    """Return the migrations of this program, numbered 1, 2, 3 and so on without gaps."""
    paths = (files(sql.__name__) / "migrations").iterdir()
    named = [(_FILE_NAME.fullmatch(path.name), path) for path in paths]
    found = [
        Migration(int(name["version"]), name["name"], path.read_text("utf-8")) for name, path in named if name
    ]
    found.sort(key=lambda migration: migration.version)
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    return found


def known_tables() -> list[str]:
    """Return the names of all tables that this program makes."""
    texts = [migration.text for migration in known_migrations()]
    return sorted({table for text in texts for table in _CREATED.findall(text)} | {"schema_migration"})


def pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a migration, each with the table that is to be placed behind it, if there is one."""
    start = 0
    for place in _PLACE.finditer(text):
        yield text[start : place.start()], place["table"]
        start = place.end()
    yield text[start:], None


def is_for_one_machine(text: str) -> bool:
    """Tell whether a database that is spread goes without a migration."""
    return _ALONE.search(text) is not None


async def migrate(
    url: str, migrations: Sequence[Migration] | None = None, pooler: PoolerOption = "auto"
) -> Database:
    """Apply what the database lacks, each migration in a transaction of its own. Returns what is there.

    Raises:
        StartupError: PostgreSQL is too old or does not store text as UTF-8, the database is newer than the
            program, an applied migration differs from the program's, or one cannot be applied; the database is
            another program's, or its user may not do it; or this is a machine of several where it cannot.
    """
    steps = known_migrations() if migrations is None else migrations
    try:
        return await _migrate(url, steps, pooler)
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise StartupError(
            "the database lacks tables, and takes no writes: --store has to name the primary, and"
            " default_transaction_read_only has to be off"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartupError(
            f"the user in --store may not make and change Stepwell's tables: {describe(error)}; the owner of the"
            " database may"
        ) from error


async def _migrate(url: str, steps: Sequence[Migration], pooler: PoolerOption) -> Database:
    # No limit for a command: filling a new column of a large table takes what it takes.
    async with first_connection(url) as connection:
        await _check_server(connection)
        engine = await engine_of(connection, known_tables())
        database = Database(url, await is_pooled(connection, pooler), engine.is_distributed)
        missing = await _missing(connection, steps)
        if missing and not engine.is_coordinator:
            raise StartupError(
                f"the database lacks {len(missing)} migrations, and this machine is a worker of Citus, where tables"
                " cannot change; start a server at the coordinator first, or run `stepwell database status` for it"
            )
        is_new = len(missing) == len(steps)
        if missing and is_new:
            log.info("making the tables", version=len(steps))
        for migration in missing:
            if not is_new:
                log.info("migrating the database", migration=migration.file_name)
            await _apply(connection, database, migration, steps, is_new=is_new)
    return database


async def _check_server(connection: Connection) -> None:
    version = connection.get_server_version()
    if version.major < POSTGRESQL_VERSION_MIN:
        raise StartupError(
            f"this PostgreSQL is version {version.major};"
            f" Stepwell needs version {POSTGRESQL_VERSION_MIN} or later"
        )
    encoding = await connection.fetchval(_QUERIES["encoding"])
    if encoding != "UTF8":
        raise StartupError(
            f"the database stores text as {encoding}; create one with ENCODING 'UTF8' for Stepwell"
        )


def _check_applied(applied: Mapping[int, str], steps: Sequence[Migration]) -> None:
    newest = max(applied, default=0)
    if newest > len(steps):
        raise StartupError(
            f"the database has version {newest}, this program knows versions up to {len(steps)};"
            " install the newer Stepwell that made it"
        )
    for migration in steps:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise StartupError(
                f"migration {migration.version} ({migration.name}) was applied in another form than this"
                " program's; use the Stepwell that made this database, or another database"
            )


async def _missing(connection: Connection, steps: Sequence[Migration]) -> list[Migration]:
    """Wait for whoever migrates, and return what the database lacks then."""
    async with connection.transaction():
        if not await connection.fetchval(_QUERIES["try_lock"], ADVISORY_LOCK_KEY):
            log.info("waiting for another server that migrates the database")
            await connection.execute(_QUERIES["lock"], ADVISORY_LOCK_KEY)
        if not await connection.fetchval(_QUERIES["has_table"]):
            await _require_names(connection, steps)
            await connection.execute(_QUERIES["create_table"])
        applied = {row["version"]: row["checksum"] for row in await connection.fetch(_QUERIES["applied"])}
    _check_applied(applied, steps)
    return [migration for migration in steps if migration.version not in applied]


async def _require_names(connection: Connection, steps: Sequence[Migration]) -> None:
    """Refuse a database of another program before anything is made in it."""
    names = {name for step in steps for made in (_CREATED, _VIEWS) for name in made.findall(step.text)}
    taken = await connection.fetchval(_QUERIES["taken"], sorted(names))
    if taken:
        raise StartupError(
            f"the database is another program's: it has {taken}, which are names of Stepwell's tables and views; make"
            " one for Stepwell alone (CREATE DATABASE stepwell) and name it in --store"
        )


async def _apply(
    connection: Connection,
    database: Database,
    migration: Migration,
    steps: Sequence[Migration],
    *,
    is_new: bool,
) -> None:
    """Apply one, unless another server did it meanwhile."""
    try:
        async with connection.transaction():
            # A savepoint is no end: the lock is held until this transaction's.
            if migration not in await _missing(connection, steps):
                return
            tables = () if is_new else rewritten_tables(migration.text)
            anew = rewriting(connection, database, migration.file_name, tables) if tables else nullcontext()
            async with anew:
                await _execute(connection, database, migration.text)
            await connection.execute(
                _QUERIES["record"], migration.version, migration.name, migration.checksum
            )
    except asyncpg.PostgresError as error:
        raise StartupError(
            f"migration {migration.version} ({migration.name}) failed and was undone: {describe(error)}"
        ) from error


async def _execute(connection: Connection, database: Database, text: str) -> None:
    if not database.is_distributed:
        await connection.execute(text)
        return
    if is_for_one_machine(text):
        return
    await connection.execute(set_local(SEQUENTIAL))
    for part, table in pieces(text):
        await connection.execute(part)
        if table is not None:
            (row,) = await connection.fetch(_TABLES, [table])
            await connection.execute(placing(row["name"], row["key"]))
