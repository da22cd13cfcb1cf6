"""What a search has to find, in plain Python: the grammar's semantics without SQL."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from stepwell_server.search import expressions as ex

_NUMBER = re.compile(r"[+-]?([0-9]{1,255}\.?[0-9]{0,255}|\.[0-9]{1,255})([eE][+-]?[0-9]{1,3})?")
_OPERATORS = {
    ex.Operator.EQUAL: lambda a, b: a == b,
    ex.Operator.NOT_EQUAL: lambda a, b: a != b,
    ex.Operator.LESS: lambda a, b: a < b,
    ex.Operator.LESS_OR_EQUAL: lambda a, b: a <= b,
    ex.Operator.GREATER: lambda a, b: a > b,
    ex.Operator.GREATER_OR_EQUAL: lambda a, b: a >= b,
}


@dataclass
class ModelRun:
    """A run; `metrics` are whole histories, in order of logging."""

    run_id: str
    name: str
    status: str
    start_time: int
    end_time: int | None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    datasets: list[dict[str, str]] = field(default_factory=list)  # name, digest, and context if it has one


def value_of(run: ModelRun, it: ex.Field) -> Any:
    """The value of a field; None when there is none."""
    match it.kind:
        case ex.FieldKind.ATTRIBUTE:
            name = {"run_name": "name"}.get(it.key, it.key)
            return getattr(run, name)
        case ex.FieldKind.METRIC:
            return _aggregate(run.metrics.get(it.key), it.function)
        case ex.FieldKind.DATASET:
            return next((dataset[it.key] for dataset in run.datasets if it.key in dataset), None)
        case ex.FieldKind.PARAM | ex.FieldKind.TAG:
            found = (run.params if it.kind is ex.FieldKind.PARAM else run.tags).get(it.key)
            return _number(found) if it.function else found


def _aggregate(history: list[float] | None, function: str | None) -> float | None:
    if not history:
        return None
    finite = [value for value in history if math.isfinite(value)]
    match function:
        case None | "last":
            return history[-1]
        case "count":
            return len(history)
        case "min":
            return min(finite, default=None)
        case "max":
            return max(finite, default=None)
        case _:
            return sum(finite) / len(finite) if finite else None


def _number(text: str | None) -> Decimal | None:
    if text is not None and _NUMBER.fullmatch(text):
        try:
            return Decimal(text)
        except InvalidOperation:
            return None
    return None


def fulfils(run: ModelRun, expression: ex.Expression) -> bool | None:
    """Whether a run fulfils an expression; None is neither."""
    match expression:
        case ex.Comparison(ex.Field(ex.FieldKind.DATASET)) | ex.In(ex.Field(ex.FieldKind.DATASET)):
            return _any_dataset(run, expression)
        case ex.Between(ex.Field(ex.FieldKind.DATASET)) | ex.Matches(ex.Field(ex.FieldKind.DATASET)):
            return _any_dataset(run, expression)
        case ex.Not(operand):
            known = fulfils(run, operand)
            return None if known is None else not known
        case ex.And(operands):
            known = [fulfils(run, it) for it in operands]
            return False if False in known else None if None in known else True
        case ex.Or(operands):
            known = [fulfils(run, it) for it in operands]
            return True if True in known else None if None in known else False
        case ex.IsNull(it):
            return value_of(run, it) is None
        case _:
            return _holds(expression, value_of(run, expression.field))


def _any_dataset(run: ModelRun, condition: ex.Condition) -> bool | None:
    """Whether a data set fulfils a condition; None when none has the field."""
    values = [dataset.get(condition.field.key) for dataset in run.datasets]
    known = [_holds(condition, value) for value in values if value is not None]
    return any(known) if known else None


def _holds(condition: ex.Condition, found: Any) -> bool | None:
    match condition:
        case ex.Comparison(it, operator, operand):
            value = _as(found, it, operand)
            return None if value is None else _OPERATORS[operator](value, _literal(it, operand))
        case ex.Between(it, low, high):
            value = _as(found, it, low)
            return None if value is None else _literal(it, low) <= value <= _literal(it, high)
        case ex.In(it, values, negated):
            value = _as(found, it, values[0])
            return None if value is None else (value in [_literal(it, each) for each in values]) != negated
        case ex.Matches(_, kind, pattern):
            return None if found is None else _matches(found, kind, pattern)


def _as(value: Any, it: ex.Field, operand: ex.Value) -> Any:
    if isinstance(operand, Decimal) and isinstance(value, str):
        return _number(value)
    return value


def _literal(it: ex.Field, operand: ex.Value) -> Any:
    return float(operand) if it.kind is ex.FieldKind.METRIC else operand


def _matches(value: str, kind: ex.PatternKind, pattern: str) -> bool:
    if kind is ex.PatternKind.REGEXP:
        return re.search(pattern, value) is not None
    flags = re.DOTALL | (re.IGNORECASE if kind is ex.PatternKind.ILIKE else 0)
    parts = [
        {"%": ".*", "_": "."}.get(found, re.escape(found.removeprefix("\\") or found))
        for found in re.findall(r"\\.|.", pattern, re.DOTALL)
    ]
    return re.fullmatch("".join(parts), value, flags) is not None


def in_order(runs: Sequence[ModelRun], order: Sequence[ex.OrderKey]) -> list[ModelRun]:
    """Runs as they have to come: NaN after all numbers, what is missing after NaN, in both directions."""
    found = sorted(sorted(runs, key=lambda run: run.run_id), key=lambda run: -run.start_time)
    for key in reversed(order):
        ranked = [(_rank(value_of(run, key.field)), run) for run in found]
        values = [(rank, run) for rank, run in ranked if rank == 0]
        values.sort(key=lambda item: _sortable(value_of(item[1], key.field)), reverse=False)
        if key.descending:
            values = _stably_reversed(values, key)
        found = [run for _, run in values] + [run for rank in (1, 2) for r, run in ranked if r == rank]
    return found


def _stably_reversed(values: list[Any], key: ex.OrderKey) -> list[Any]:
    """Downwards, with equals in the order that they had."""
    flipped = list(reversed(values))
    flipped.sort(key=lambda item: _sortable(value_of(item[1], key.field)), reverse=True)
    groups: list[list[Any]] = []
    for item in flipped:
        same = groups and _sortable(value_of(groups[-1][0][1], key.field)) == _sortable(
            value_of(item[1], key.field)
        )
        if same:
            groups[-1].insert(0, item)
        else:
            groups.append([item])
    return [item for group in groups for item in group]


def _sortable(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _rank(value: Any) -> int:
    if value is None:
        return 2
    return 1 if isinstance(value, float) and math.isnan(value) else 0
