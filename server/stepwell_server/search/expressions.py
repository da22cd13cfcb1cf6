"""Parsed filters and orders: plain values that the store compiles to SQL.

A condition on something that a run does not have (a missing metric, param or tag, an end time that is not there) is
neither true nor false, as in SQL: neither it nor its NOT matches. Comparisons with NaN are IEEE 754's: NaN fulfils only
`!=`, NOT IN and NOT BETWEEN.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from decimal import Decimal
from enum import Enum


class FieldKind(Enum):
    """Where a field is found."""

    METRIC = "metrics"
    PARAM = "params"
    TAG = "tags"
    DATASET = "datasets"
    ATTRIBUTE = "attributes"


class ValueType(Enum):
    """What the values of a field are. TEXT of params and tags may hold numbers."""

    NUMBER = "number"
    TEXT = "text"


# What may be asked of a metric's history, beside its latest value.
METRIC_FUNCTIONS = ("min", "max", "mean", "last", "count")
# What is known of a data set. A run may have many: a condition asks whether there is one that fulfils it. So `!=` and
# NOT IN find the runs with another data set, as in MLflow; NOT in front of a condition, those without such a one.
DATASET_FIELDS = ("name", "digest", "context")
# A param or tag, read as a number.
NUMBER_FUNCTION = "number"


@dataclass(frozen=True, slots=True)
class Field:
    """Something that a run, an experiment or a model has. `function` is one of those above, or None.

    `dataset` is of a model's metric: the name and digest (empty for any) of the data set it was measured on.
    """

    kind: FieldKind
    key: str
    value_type: ValueType
    function: str | None = None
    dataset: tuple[str, str] | None = None

    def __str__(self) -> str:
        name = self.key if self.kind is FieldKind.ATTRIBUTE else f"{self.kind.value}.{self.key}"
        return f"{self.function}({name})" if self.function else name


# Decimal('Infinity') stands for what no double can hold.
Value = str | Decimal


class Operator(Enum):
    """How a field is compared with a value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


class PatternKind(Enum):
    """How a text is compared with a pattern."""

    LIKE = "LIKE"
    ILIKE = "ILIKE"
    REGEXP = "REGEXP"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator value`."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Between:
    """`field BETWEEN low AND high`, bounds included."""

    field: Field
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class In:
    """`field IN (values)`; all values of one type. `negated` stands for NOT IN of data sets, see DATASET_FIELDS."""

    field: Field
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    r"""`field LIKE pattern`; % stands for any text, _ for one character, \ takes the next one literally.

    REGEXP finds its pattern anywhere.

    `place` is the character of the filter at which the pattern begins, from 0.
    """

    field: Field
    kind: PatternKind
    pattern: str
    place: int = attribute(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    """`field IS NULL`."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    operands: tuple["Expression", ...]


Condition = Comparison | Between | In | Matches | IsNull
Expression = Condition | Not | And | Or


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order. NaN comes after all numbers and what is missing after NaN, in both directions."""

    field: Field
    descending: bool = False


def conjuncts(expression: Expression | None) -> Sequence[Expression]:
    """Return what has to hold all at once; nothing for no filter."""
    if expression is None:
        return ()
    return expression.operands if isinstance(expression, And) else (expression,)


def regular_expressions(expression: Expression | None) -> Iterator[Matches]:
    """Yield the conditions with regular expressions, from left to right."""
    match expression:
        case Matches(kind=PatternKind.REGEXP):
            yield expression
        case Not(operand):
            yield from regular_expressions(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from regular_expressions(operand)


def fields(expression: Expression | None) -> Iterator[Field]:
    """Yield the fields that are compared, from left to right."""
    match expression:
        case Comparison() | Between() | In() | Matches() | IsNull():
            yield expression.field
        case Not(operand):
            yield from fields(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from fields(operand)


def metric_names(expression: Expression | None, order: Sequence[OrderKey] = ()) -> set[str]:
    """Return the names of the metrics that are compared or ordered by."""
    found = [*fields(expression), *(key.field for key in order)]
    return {field.key for field in found if field.kind is FieldKind.METRIC}
