"""Orders to SQL: each key becomes two columns, a rank (0 there, 1 NaN, 2 missing) and the value for rank 0.

Ranks go up whatever the direction, so NaN and what is missing come last. The last row of a page, in the same columns,
says where the next page begins; so pages stay where they are while rows come and go.
"""

from collections.abc import Sequence
from typing import Any

from stepwell_server.search.expressions import NUMBER_FUNCTION, FieldKind, OrderKey
from stepwell_server.search.queries import KeyPosition, RowPosition
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.tables import Fields, is_float, is_text


class Ordering:
    """The order of a statement's rows. `time` and `id` are the columns that decide among equals: time goes down.

    Key i is read as column s<i>, ranked as r<i> and v<i>.
    """

    def __init__(self, keys: Sequence[OrderKey], time: str, id_: str, id_type: str) -> None:
        self.keys = keys
        self._time = time
        self._id = id_
        self._id_type = id_type

    def read_columns(self, tables: Fields, parameters: Parameters, first: int = 0) -> str:
        """Return SQL that reads the keys from number `first` on, each with a comma before it."""
        return "".join(
            f", {tables.read(key.field, parameters)} AS s{number}"
            for number, key in enumerate(self.keys)
            if number >= first
        )

    def ranked_columns(self, first: int = 0) -> str:
        """Return SQL that ranks what was read, from key `first` on, each column with a comma before it."""
        return "".join(
            f", {_rank(key, f's{number}')} AS r{number}, {_value(key, f's{number}')} AS v{number}"
            for number, key in enumerate(self.keys)
            if number >= first
        )

    @property
    def columns(self) -> str:
        """The ranked columns by name, each with a comma before it."""
        return "".join(f", r{number}, v{number}" for number in range(len(self.keys)))

    @property
    def order_by(self) -> str:
        """What follows ORDER BY, of ranked columns."""
        keys = [
            f"r{number}, v{number}{' DESC' if key.descending else ''}" for number, key in enumerate(self.keys)
        ]
        return ", ".join([*keys, f"{self._time} DESC", self._id])

    def after(self, position: RowPosition | None, parameters: Parameters) -> str:
        """Return the SQL condition on ranked columns for what comes after a position; true without one."""
        if position is None:
            return "true"
        time, row = parameters.add(position.time_ms, "bigint"), parameters.add(position.id, "text")
        beyond = f"({self._time} < {time} OR {self._time} = {time} AND {self._id} > {row}::{self._id_type})"
        numbered = list(enumerate(zip(self.keys, position.keys, strict=True)))
        for number, (key, (rank, value)) in reversed(numbered):
            if rank:
                beyond = f"(r{number} > {rank} OR r{number} = {rank} AND {beyond})"
                continue
            at = key_literal(key, value, parameters)
            further = f"v{number} {'<' if key.descending else '>'} {at}"
            beyond = f"(r{number} > 0 OR {further} OR v{number} = {at} AND {beyond})"
        return beyond


def _rank(key: OrderKey, column: str) -> str:
    nan = f" WHEN {column} = 'NaN' THEN 1" if is_float(key.field) else ""
    return f"CASE WHEN {column} IS NULL THEN 2{nan} ELSE 0 END"


def _value(key: OrderKey, column: str) -> str:
    if is_float(key.field):
        return f"nullif({column}, 'NaN')"
    return f'{column} COLLATE "C"' if is_text(key.field) else column


def key_literal(key: OrderKey, value: int | float | str | None, parameters: Parameters) -> str:
    """Return what stands for the value of a key."""
    if is_float(key.field):
        return parameters.add(value, "double precision")
    if is_text(key.field):
        return parameters.add(value, "text")
    if key.field.function == NUMBER_FUNCTION:
        return parameters.add(value, "text") + "::numeric"
    return parameters.add(value, "bigint")


def key_position(key: OrderKey, rank: int, value: object) -> KeyPosition:
    """Return rank and value of a key as a position holds them."""
    exact = key.field.function == NUMBER_FUNCTION and key.field.kind is not FieldKind.METRIC
    return rank, str(value) if exact and value is not None else value  # type: ignore[return-value]


def position_of(row: Any, ordering: Ordering, time_ms: int, id_: str) -> RowPosition:
    """Return where a row of a statement stands in its order."""
    keys = (
        key_position(key, row[f"r{number}"], row[f"v{number}"]) for number, key in enumerate(ordering.keys)
    )
    return RowPosition(tuple(keys), time_ms, id_)
