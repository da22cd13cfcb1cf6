"""Conditions that an index answers: the runs that fulfil one of them are all that has to be looked at.

Of a filter's conditions that must hold all at once, those that compare a latest metric with numbers, or a param, a
tag or the run's id with texts, can be looked up. The statement counts them up to a limit and begins with the first that
is below it; see run_query. All of these queries are answered by an index alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.search.expressions import (
    Between,
    Comparison,
    Expression,
    Field,
    FieldKind,
    In,
    Operator,
    conjuncts,
)
from stepwell_server.store.search.conditions import value_test
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.tables import metric_id

_RUN_ID = re.compile(r"[0-9a-f]{32}")
# Texts up to this length are in the index of values as they are, longer ones with their beginnings (migration 0013).
INDEXED_CHARS_MAX = 200
_IS_SHORT = f"length(it.value) <= {INDEXED_CHARS_MAX}"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """SQL of a query for run ids, of the alias `it`. Where `settled_only`, it misses runs that are not settled.

    `test` is the condition, where the query names just the runs that fulfil it. Where `probes`, asking the index about
    one run with the query is a faster way to test that.
    """

    query: str
    settled_only: bool = False
    test: Expression | None = None
    probes: bool = False

    def names(self, run_id: str) -> str:
        """Return a condition: whether the query names a run, as one probe of its index."""
        return f"(SELECT true FROM ({self.query} AND it.run_id = {run_id}) AS named)"


def narrowings(filter_: Expression | None, parameters: Parameters, *, count_max: int) -> Sequence[Narrowing]:
    """Return what indexes know of a filter's conditions, at most `count_max` of them."""
    found = (narrowing(it, parameters) for it in conjuncts(filter_))
    return [it for it in found if it is not None][:count_max]


def narrowing(test: Expression, parameters: Parameters) -> Narrowing | None:
    """Return how the runs that fulfil a condition are looked up; None if no index knows."""
    if not isinstance(test, Comparison | Between | In):
        return None
    if isinstance(test, Comparison) and test.operator is Operator.NOT_EQUAL:
        return None
    if test.field.kind is FieldKind.METRIC:
        return _by_metric(test, parameters)
    texts = _equal_texts(test)
    if texts is None:
        return None
    if test.field.kind is FieldKind.DATASET:
        return _by_dataset(test.field, texts, parameters)
    if test.field.kind is FieldKind.ATTRIBUTE:
        return _by_id(test.field, texts, parameters)
    return _by_text(test, texts, parameters)


def _by_metric(test: Comparison | Between | In, parameters: Parameters) -> Narrowing | None:
    if test.field.function not in (None, "last"):
        return None
    number = metric_id(test.field, parameters)
    compared = value_test(test, "it.indexed_value", parameters)
    return Narrowing(
        f"SELECT it.run_id FROM metric_latest AS it WHERE it.metric_id = {number} AND {compared}",
        settled_only=True,
        test=test,
    )


def _equal_texts(test: Comparison | Between | In) -> list[str] | None:
    """Return the texts of which the field has to be one; None if the condition is another."""
    match test:
        case Comparison(_, Operator.EQUAL, str(text)):
            return [text]
        case In(_, values, False) if isinstance(values[0], str):
            return [str(value) for value in values]
        case _:
            return None


def _by_id(field: Field, texts: list[str], parameters: Parameters) -> Narrowing | None:
    if field.key != "run_id":
        return None
    ids = parameters.add([UUID(hex=text) for text in texts if _RUN_ID.fullmatch(text)], "uuid[]")
    return Narrowing(f"SELECT it.run_id FROM run AS it WHERE it.run_id = ANY ({ids})")


def _by_dataset(field: Field, texts: list[str], parameters: Parameters) -> Narrowing | None:
    if field.key == "context":
        return None
    which = f'dataset.{field.key} COLLATE "C" = ANY ({parameters.add(texts, "text[]")})'
    return Narrowing(
        "SELECT DISTINCT it.run_id FROM run_input AS it WHERE it.dataset_id = ANY"
        f" (ARRAY(SELECT dataset_id FROM dataset WHERE {which}))"
    )


def _by_text(test: Comparison | Between | In, texts: list[str], parameters: Parameters) -> Narrowing | None:
    if test.field.function:
        return None
    table = "param" if test.field.kind is FieldKind.PARAM else "tag"
    of_key = f"SELECT it.run_id FROM {table} AS it WHERE it.key = {parameters.add(test.field.key, 'text')}"
    short = [text for text in texts if len(text) <= INDEXED_CHARS_MAX]
    if len(short) == len(texts) == 1:
        same = f'it.value COLLATE "C" = {parameters.add(texts[0], "text")}'
        return Narrowing(f"{of_key} AND {same} AND {_IS_SHORT}", test=test, probes=True)
    query = f'{of_key} AND it.value COLLATE "C" = ANY ({parameters.add(short, "text[]")}) AND {_IS_SHORT}'
    if len(short) < len(texts):
        # Whether the rest is equal, the filter tells.
        starts = [text[:INDEXED_CHARS_MAX] for text in texts if len(text) > INDEXED_CHARS_MAX]
        begins = f"left(it.value, {INDEXED_CHARS_MAX}) = ANY ({parameters.add(starts, 'text[]')})"
        return Narrowing(f"{query} UNION ALL {of_key} AND {begins} AND NOT {_IS_SHORT}")
    return Narrowing(query, test=test)
