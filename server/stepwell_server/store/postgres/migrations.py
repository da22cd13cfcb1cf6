"""Brings a database to the form that this program knows: numbered files, each applied once, never changed."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from stepwell_server.config import PoolerOption
from stepwell_server.errors import StartupError
from stepwell_server.process.logger import get_logger
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection, describe, first_connection
from stepwell_server.store.postgres.pooler import Database, is_pooled
from stepwell_server.store.postgres.rewriting import rewriting, rewritten_tables

POSTGRESQL_VERSION_MIN = 14
ADVISORY_LOCK_KEY = int.from_bytes(b"stepwell")  # one server migrates; the others wait for it

_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_QUERIES = sql.load("migrations")

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


async def migrate(
    url: str, migrations: Sequence[Migration] | None = None, pooler: PoolerOption = "auto"
) -> Database:
    """Apply what the database lacks, each migration in a transaction of its own. Returns what is there.

    Raises:
        StartupError: PostgreSQL is too old or does not store text as UTF-8, the database is newer than the
            program, an applied migration differs from the program's, or one cannot be applied.
    """
    steps = known_migrations() if migrations is None else migrations
    # No limit for a command: filling a new column of a large table takes what it takes.
    async with first_connection(url) as connection:
        await _check_server(connection)
        database = Database(url, await is_pooled(connection, pooler))
        missing = await _missing(connection, steps)
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
        await connection.execute(_QUERIES["create_table"])
        applied = {row["version"]: row["checksum"] for row in await connection.fetch(_QUERIES["applied"])}
    _check_applied(applied, steps)
    return [migration for migration in steps if migration.version not in applied]


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
                await connection.execute(migration.text)
            await connection.execute(
                _QUERIES["record"], migration.version, migration.name, migration.checksum
            )
    except asyncpg.PostgresError as error:
        raise StartupError(
            f"migration {migration.version} ({migration.name}) failed and was undone: {describe(error)}"
        ) from error
