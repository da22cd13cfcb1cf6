"""`python -m tests.sql_rules`: prints what is wrong, a line each, and fails if there is anything."""

import sys
from collections.abc import Mapping, Sequence

import click

from stepwell_server.store.postgres.migrations import known_migrations
from tests.sql_rules.exceptions import EVERYWHERE, EXCEPTIONS
from tests.sql_rules.migrations import wrong_migrations
from tests.sql_rules.report import findings, problems
from tests.sql_rules.schema import known_schema
from tests.sql_rules.searches import compiled_searches
from tests.sql_rules.statements import all_statements


def listed() -> Mapping[str, Sequence[str]]:
    """Return the exceptions of each rule."""
    return {**EXCEPTIONS, "named runs": [*EVERYWHERE, *EXCEPTIONS.get("named runs", [])]}


def main() -> int:
    """Return the exit code."""
    statements = list(all_statements(known_schema(), list(compiled_searches())))
    wrong = [*problems(findings(statements), listed()), *wrong_migrations(known_migrations())]
    click.echo("\n".join(wrong) or f"{len(statements)} statements keep to the rules, but for what is listed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
