"""The data that estimators are given: described, and its first rows as an example."""

from dataclasses import dataclass
from typing import Any

from stepwell import beside, data
from stepwell.autologging.calls import LoggedCall
from stepwell.client import StepwellClient
from stepwell.delivery import record

EXAMPLE_ROWS = 5
TRAINING = "train"
# Data up to this size is copied and described beside the training; more is described at once, by some of its rows.
COPIED_BYTES_MAX = 4 * 2**20
# Of a data frame, for each column and the index; text is not copied.
CELL_BYTES = 8


@dataclass(frozen=True)
class Copied:
    """Rows as they were, and how much they hold; nobody changes them."""

    rows: Any
    size_bytes: int


def copied(rows: Any) -> Copied | None:
    """Return a copy of a data frame or an array; None for other data, and for more than COPIED_BYTES_MAX."""
    size = _size_bytes(rows)
    return Copied(rows.copy(), size) if 0 < size <= COPIED_BYTES_MAX else None


def log_used(
    call: LoggedCall,
    rows: Any,
    labels: Any,
    context: str = TRAINING,
    name: str | None = None,
    own: Copied | None = None,
) -> None:
    """Note data that a call trained on, or evaluated with: a data frame, or an array. `own` is a copy, if there is."""
    own = own or copied(rows)
    if own is not None:
        own_labels = None if labels is None or _is_frame(rows) else _array(labels)
        call.later(_note, call, own.rows, own_labels, context, name, size_bytes=own.size_bytes)
    else:
        _note(call, rows, labels, context, name)


def log_evaluation(client: StepwellClient, run_id: str, rows: Any) -> None:
    """Note data as what a run, which may have ended, was evaluated with."""
    own = copied(rows)
    found = _described(rows, None) if own is None else None
    if own is None and found is None:
        return

    def note() -> None:
        described = found if own is None else _described(own.rows, None)
        if described is not None:
            client.log_inputs(run_id, [data.to_input(described, "eval", None)])

    beside.leave(run_id, note, 0 if own is None else own.size_bytes)


def _note(call: LoggedCall, rows: Any, labels: Any, context: str, name: str | None) -> None:
    found = _described(rows, labels, name)
    if found is not None:
        used = data.to_input(found, context, None)
        record.log_inputs(call.writer, [used])
        if context == TRAINING:
            call.trained_on.append(used)


def _described(rows: Any, labels: Any, name: str | None = None) -> data.Dataset | None:
    """Return what can be said of data; None for what is neither a data frame nor an array."""
    import numpy as np

    if _is_frame(rows):
        return data.from_pandas(rows, name=name)
    if isinstance(rows, np.ndarray):
        return data.from_numpy(rows, targets=None if labels is None else np.asarray(labels), name=name)
    return None


def _size_bytes(rows: Any) -> int:
    """Return how much a copy would hold; 0 for what is neither a data frame nor an array."""
    import numpy as np

    if _is_frame(rows):
        # As memory_usage() says it, which takes 1 ms.
        return 1 + CELL_BYTES * len(rows) * (1 + len(rows.columns))
    return 1 + int(rows.nbytes) if isinstance(rows, np.ndarray) else 0


def _array(labels: Any) -> Any:
    import numpy as np

    return np.array(labels)


def first_rows(rows: Any) -> Any:
    """Return the first rows, of the same kind; None for data that has no beginning."""
    if _is_frame(rows):
        return rows.head(EXAMPLE_ROWS)
    try:
        return rows[:EXAMPLE_ROWS]
    except (TypeError, KeyError, IndexError, NotImplementedError):
        return None


def _is_frame(rows: Any) -> bool:
    return hasattr(rows, "columns") and hasattr(rows, "iloc")
