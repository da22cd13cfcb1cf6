"""Expressions to SQL conditions that are true, false or NULL as the grammar says."""

from collections.abc import Sequence

from stepwell_server.search.expressions import (
    And,
    Between,
    Comparison,
    Condition,
    Expression,
    Field,
    In,
    IsNull,
    Matches,
    Not,
    Operator,
    Or,
    PatternKind,
    Value,
)
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.tables import Fields, is_float, is_text

_SQL_OPERATORS = {operator: operator.value for operator in Operator} | {Operator.NOT_EQUAL: "<>"}
_UPWARD = (Operator.GREATER, Operator.GREATER_OR_EQUAL)
_PATTERNS = {PatternKind.LIKE: "LIKE", PatternKind.ILIKE: "ILIKE", PatternKind.REGEXP: "~"}


def condition(expression: Expression, tables: Fields, parameters: Parameters) -> str:
    """Return the SQL of an expression about a row of `tables.table`."""
    match expression:
        case Not(operand):
            return f"(NOT {condition(operand, tables, parameters)})"
        case And(operands):
            return "(" + " AND ".join(condition(it, tables, parameters) for it in operands) + ")"
        case Or(operands):
            return "(" + " OR ".join(condition(it, tables, parameters) for it in operands) + ")"
        case IsNull(field):
            return f"({tables.read(field, parameters)} IS NULL)"
        case Comparison() | Between() | In() | Matches():
            return tables.test(
                expression.field, parameters, lambda value: value_test(expression, value, parameters)
            )


def value_test(test: Condition, value: str, parameters: Parameters) -> str:
    """Return the SQL of a test of a value, which is given as SQL."""
    match test:
        case Comparison(field, operator, operand):
            compared = f"{comparable(field, value, operand)} {_SQL_OPERATORS[operator]} "
            compared += literal(field, operand, parameters)
            # PostgreSQL has NaN above every number.
            if is_float(field) and operator in _UPWARD:
                return f"{compared} AND {value} < 'NaN'"
            return compared
        case Between(field, low, high):
            bounds = f"{literal(field, low, parameters)} AND {literal(field, high, parameters)}"
            return f"{comparable(field, value, low)} BETWEEN {bounds}"
        case In(field, values, negated):
            compared = comparable(field, value, values[0])
            return f"{compared} {'<> ALL' if negated else '= ANY'} ({listed(field, values, parameters)})"
        case Matches(_, kind, pattern):
            return f"{value} {_PATTERNS[kind]} {parameters.add(pattern, 'text')}"
        case IsNull():
            return f"{value} IS NULL"


def comparable(field: Field, value: str, operand: Value) -> str:
    """Return the SQL of a value in the form in which it is compared with an operand."""
    if isinstance(operand, str):
        return f'{value} COLLATE "C"'
    return f"text_number({value})" if is_text(field) else value


def literal(field: Field, operand: Value, parameters: Parameters) -> str:
    """Return what stands for an operand: doubles for metrics, else exact decimals, else texts."""
    if isinstance(operand, str):
        return parameters.add(operand, "text")
    if is_float(field):
        return parameters.add(float(operand), "double precision")
    return parameters.add(str(operand), "text") + "::numeric"


def listed(field: Field, operands: Sequence[Value], parameters: Parameters) -> str:
    """Return what stands for operands of one type, as one array: a statement has 32,767 parameters at most."""
    if isinstance(operands[0], str):
        return parameters.add(list(operands), "text[]")
    if is_float(field):
        return parameters.add([float(operand) for operand in operands], "double precision[]")
    return parameters.add([str(operand) for operand in operands], "text[]") + "::numeric[]"
