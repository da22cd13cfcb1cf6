"""What all statements break of all rules, but for what is listed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.sql_rules.rules import RULES, Rule
from tests.sql_rules.statements import Statement


@dataclass(frozen=True)
class Finding:
    """What is wrong of a statement, by which rule."""

    statement: str
    rule: Rule
    wrong: str

    def __str__(self) -> str:
        place = self.statement
        if " " not in place:
            file, _, name = place.rpartition(".")
            place = f"server/stepwell_server/store/sql/{file}.sql: {name}"
        return f"{place}: {self.rule.name}: {self.wrong}; right: {self.rule.right}"


def findings(statements: Iterable[Statement], rules: Sequence[Rule] = RULES) -> Iterator[Finding]:
    """Yield everything that statements break, once each."""
    for statement in statements:
        for rule in rules:
            for wrong in sorted(set(rule.check(statement))):
                yield Finding(statement.name, rule, wrong)


def problems(found: Iterable[Finding], listed: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what is not listed, by name of rule and statement, and what is listed and not there any more.

    `search runs` stands for all statements whose names begin so.
    """
    met: set[tuple[str, str]] = set()
    for finding in found:
        names = listed.get(finding.rule.name, ())
        fitting = [it for it in names if f"{finding.statement} ".startswith(f"{it} ")]
        met.update((finding.rule.name, name) for name in fitting)
        if not fitting:
            yield str(finding)
    for rule, names in listed.items():
        for name in names:
            if (rule, name) not in met:
                yield f"exceptions.py: {name} keeps to the rule '{rule}' now: take it off the list"
