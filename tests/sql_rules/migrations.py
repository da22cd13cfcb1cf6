"""What a migration has to look like, so that a database that is spread over machines is wholly spread after it.

The runner (store/postgres/migrations.py) brings a table to its place where a line `-- place: table` says so.
"""

from collections.abc import Iterator, Sequence

from pglast import ast
from pglast.enums import AlterTableType, ConstrType

from stepwell_server.store.postgres.migrations import Migration, is_for_one_machine, pieces
from stepwell_server.store.postgres.placing import is_spread
from tests.sql_rules.schema import Schema
from tests.sql_rules.tree import below, parsed

# The last one from before there were places; `stepwell database distribute` brings those tables to theirs.
LAST_WITHOUT = 42

_REFUSED = (ast.DoStmt, ast.CreateTrigStmt, ast.CreateTableAsStmt, ast.RuleStmt)
_BESIDE_OTHERS = (AlterTableType.AT_AddColumn, AlterTableType.AT_DropColumn)


def wrong_migrations(migrations: Sequence[Migration]) -> Iterator[str]:
    """Yield what is wrong of those that come after LAST_WITHOUT."""
    schema = Schema()
    for migration in migrations:
        schema.apply(migration.text)
        if migration.version > LAST_WITHOUT:
            for wrong in _wrong(migration, schema):
                yield f"migrations/{migration.file_name}.sql: {wrong}"


def _wrong(migration: Migration, schema: Schema) -> Iterator[str]:
    waiting: list[str] = []
    is_passed_on = not is_for_one_machine(migration.text)
    for text, place in pieces(migration.text):
        for statement in parsed(text):
            yield from _statement(statement, waiting, schema)
            if is_passed_on and any(_is_refused(it) for it in below(statement)):
                yield "SET STATISTICS is refused by Citus; right: a migration with the line `-- one machine alone`"
            if isinstance(statement, ast.CreateStmt) and statement.relation.relpersistence != "t":
                waiting.append(statement.relation.relname)
        if place is not None and place not in waiting:
            yield f"{place} is placed, and was not made before"
        waiting = [table for table in waiting if table != place]
    for table in waiting:
        yield f"{table} gets no place; right: a line `-- place: {table}` behind it, before it gets foreign keys"


def _is_refused(node: ast.Node) -> bool:
    return isinstance(node, ast.AlterTableCmd) and node.subtype == AlterTableType.AT_SetStatistics


def _statement(statement: ast.Node, waiting: Sequence[str], schema: Schema) -> Iterator[str]:
    if isinstance(statement, _REFUSED):
        yield f"{type(statement).__name__} is not told to other machines; right: plain statements"
    constraints = [it for it in below(statement) if isinstance(it, ast.Constraint)]
    keys = [it for it in constraints if it.contype == ConstrType.CONSTR_FOREIGN]
    match statement:
        case ast.CreateStmt(relation=relation) if keys:
            yield f"{relation.relname} has foreign keys before its place; right: ALTER TABLE ... ADD CONSTRAINT, later"
        case ast.CreateStmt(relation=relation) if relation.relname not in schema.keys:
            yield f"{relation.relname} has no primary key, which tells its place"
        case ast.AlterTableStmt():
            yield from _alteration(statement, keys, waiting)
        case ast.IndexStmt(concurrent=True):
            yield f"{statement.idxname} is made CONCURRENTLY, which no transaction may"
        case ast.IndexStmt(unique=True, relation=relation) if schema.is_spread(relation.relname):
            if "run_id" not in [it.name for it in statement.indexParams]:
                yield f"{statement.idxname} is unique without run_id"
    for constraint in constraints:
        columns = [it.sval for it in constraint.keys or ()]
        table = getattr(statement, "relation", None)
        is_unique = constraint.contype == ConstrType.CONSTR_UNIQUE
        if is_unique and table and is_spread(schema.keys.get(table.relname, [])) and "run_id" not in columns:
            yield f"{table.relname} is unique without run_id"
    for column in [it for it in below(statement) if isinstance(it, ast.ColumnDef)]:
        kinds = [it.contype for it in column.constraints or ()]
        if ConstrType.CONSTR_IDENTITY in kinds and column.typeName.names[-1].sval != "int8":
            yield f"{column.colname} counts by itself and is no bigint: other machines could not count it"


def _alteration(
    statement: ast.AlterTableStmt, keys: Sequence[ast.Constraint], waiting: Sequence[str]
) -> Iterator[str]:
    table = statement.relation.relname
    if len(statement.cmds) > 1 and (keys or any(it.subtype not in _BESIDE_OTHERS for it in statement.cmds)):
        yield f"ALTER TABLE {table} does several things; right: one statement each"
    for key in keys:
        if key.conname is None:
            yield f"a foreign key of {table} has no name; right: ADD CONSTRAINT name FOREIGN KEY"
        if table in waiting or key.pktable.relname in waiting:
            yield f"the foreign key {key.conname} of {table} comes before the place of a table"
        if any(it.subtype == AlterTableType.AT_AddColumn for it in statement.cmds):
            yield f"a column of {table} is added with a foreign key; right: the key in a statement of its own"
