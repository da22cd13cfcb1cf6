"""What the migrations make: tables with their columns, which of them are spread by run, views, and functions."""

from dataclasses import dataclass, field
from functools import cache

from pglast import ast
from pglast.enums import AlterTableType, ConstrType

from stepwell_server.store.postgres.migrations import known_migrations
from stepwell_server.store.postgres.placing import is_spread
from tests.sql_rules.tree import below, parsed


@dataclass
class Schema:
    """`tables`: the columns of each. `keys`: the columns of its primary key. `functions`: how volatile ours are.

    `readers` are those of our functions that read tables.
    """

    tables: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    views: dict[str, ast.SelectStmt] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    readers: set[str] = field(default_factory=set)

    def is_spread(self, table: str) -> bool:
        """Tell whether the rows of a table are where their runs are."""
        return is_spread(self.keys.get(table, []))

    def apply(self, text: str) -> None:
        """Do to this what the statements of a migration do to the database."""
        for statement in parsed(text):
            match statement:
                case ast.CreateStmt():
                    self._create(statement)
                case ast.AlterTableStmt():
                    self._alter(statement)
                case ast.ViewStmt(view=view, query=query):
                    self.views[view.relname] = query
                case ast.CreateFunctionStmt():
                    self._add_function(statement)

    def _add_function(self, statement: ast.CreateFunctionStmt) -> None:
        name = statement.funcname[-1].sval
        options = {it.defname: it.arg for it in statement.options}
        self.functions[name] = options["volatility"].sval if "volatility" in options else "volatile"
        body = "".join(part.sval for part in options["as"])
        # What is written in another language than SQL is there for what a statement alone cannot do: it reads.
        if options["language"].sval != "sql" or any(
            isinstance(node, ast.RangeVar) for node in below(tuple(parsed(body)))
        ):
            self.readers.add(name)

    def _create(self, statement: ast.CreateStmt) -> None:
        table = statement.relation.relname
        self.tables[table] = []
        for element in statement.tableElts:
            if isinstance(element, ast.ColumnDef):
                self._add_column(table, element)
            else:
                self._constrain(table, element, [])

    def _alter(self, statement: ast.AlterTableStmt) -> None:
        table = statement.relation.relname
        for command in statement.cmds:
            match command.subtype:
                case AlterTableType.AT_AddColumn:
                    self._add_column(table, command.def_)
                case AlterTableType.AT_DropColumn:
                    self.tables[table].remove(command.name)
                case AlterTableType.AT_AddConstraint:
                    self._constrain(table, command.def_, [])

    def _add_column(self, table: str, column: ast.ColumnDef) -> None:
        self.tables[table].append(column.colname)
        for constraint in column.constraints or ():
            self._constrain(table, constraint, [column.colname])

    def _constrain(self, table: str, constraint: ast.Constraint, columns: list[str]) -> None:
        if constraint.contype == ConstrType.CONSTR_PRIMARY:
            self.keys[table] = [key.sval for key in constraint.keys or ()] or columns


@cache
def known_schema() -> Schema:
    """Return what all migrations make."""
    schema = Schema()
    for migration in known_migrations():
        schema.apply(migration.text)
    return schema
