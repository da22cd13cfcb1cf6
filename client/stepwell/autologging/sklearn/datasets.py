"""The data that estimators are given: described, and its first rows as an example."""

from typing import Any

from stepwell import data
from stepwell.client import StepwellClient

EXAMPLE_ROWS = 5


def log(client: StepwellClient, run_id: str, rows: Any, labels: Any, context: str) -> None:
    """Note data as one that a run used; what is neither a data frame nor an array is left out."""
    import numpy as np

    if _is_frame(rows):
        found = data.from_pandas(rows)
    elif isinstance(rows, np.ndarray):
        found = data.from_numpy(rows, targets=None if labels is None else np.asarray(labels))
    else:
        return
    client.log_inputs(run_id, [data.to_input(found, context, None)])


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
