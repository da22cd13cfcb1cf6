"""All statements of the store, by name: those of the .sql files, the views, and searches as they are compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepwell_server.store import sql
from tests.sql_rules.levels import Level, Named, levels_of, named_runs, spread_sources
from tests.sql_rules.schema import Schema
from tests.sql_rules.tree import parsed

FOLDER = Path(sql.__file__).parent


@dataclass(frozen=True)
class Statement:
    """`name`: `runs.get` of runs.sql, or `view metric_points`, or `search runs by metric`."""

    name: str
    top: Level
    schema: Schema

    @property
    def is_view(self) -> bool:
        """Whether the runs are named by who uses it."""
        return self.name.startswith("view ")

    @property
    def is_of_one_run(self) -> bool:
        """Whether it goes to one place as a whole, where everything can be done that PostgreSQL can do."""
        named = [
            named_runs(level, self.schema).get(source.alias)
            for level in self.top.all()
            for source in spread_sources(level, self.schema)
        ]
        return len(set(named)) <= 1 and all(it is not None and it[0] is Named.ONE for it in named)


def statement(name: str, text: str, schema: Schema) -> Statement:
    """Read the text of one statement."""
    (tree,) = parsed(text)
    return Statement(name, levels_of(tree, schema), schema)


def in_files(schema: Schema) -> Iterator[Statement]:
    """Yield the statements of all .sql files, but those of migrations, which run on one connection before all else."""
    for path in sorted(FOLDER.rglob("*.sql")):
        if path.parent.name == "migrations" or path.stem == "migrations":
            continue
        file = path.relative_to(FOLDER).with_suffix("").as_posix()
        for name, text in sql.parse(path.read_text("utf-8"), file).items():
            if parsed(sql.distributed(text)):  # else it is for a single machine
                yield statement(f"{file}.{name}", sql.distributed(text), schema)


def views(schema: Schema) -> Iterator[Statement]:
    """Yield the views as the last migration left them."""
    for name, query in schema.views.items():
        yield Statement(f"view {name}", levels_of(query, schema), schema)


def all_statements(schema: Schema, compiled: Sequence[tuple[str, str]]) -> Iterator[Statement]:
    """Yield everything, and the compiled texts by name."""
    yield from in_files(schema)
    yield from views(schema)
    for name, text in compiled:
        yield statement(name, text, schema)
