"""The data that estimators are given: described, and its first rows as an example."""

from typing import Any

from stepwell import data, fluent
from stepwell.client import StepwellClient

EXAMPLE_ROWS = 5


def log_training(rows: Any, labels: Any) -> None:
    """Note data as what the active run trained on; nobody waits for it."""
    found = _described(rows, labels)
    if found is not None:
        fluent.log_input(found, "train")


def log_evaluation(run_id: str, rows: Any) -> None:
    """Note data as what a run, which may have ended, was evaluated with."""
    found = _described(rows, None)
    if found is not None:
        StepwellClient().log_inputs(run_id, [data.to_input(found, "eval", None)])


def _described(rows: Any, labels: Any) -> data.Dataset | None:
    """Return what can be said of data; None for what is neither a data frame nor an array."""
    import numpy as np

    if _is_frame(rows):
        return data.from_pandas(rows)
    if isinstance(rows, np.ndarray):
        return data.from_numpy(rows, targets=None if labels is None else np.asarray(labels))
    return None


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
