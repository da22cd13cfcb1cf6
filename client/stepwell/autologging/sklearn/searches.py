"""Searches over params: the best one's params and score, all results as a table, the best candidates as children."""

import csv
import io
from typing import Any

from stepwell import fluent, fluent_artifacts
from stepwell.autologging.calls import AUTOLOGGING_TAG, LoggedCall
from stepwell.client import StepwellClient
from stepwell.entities import Metric, Param

RESULTS_FILE = "cv_results.csv"
PARENT_TAG = "mlflow.parentRunId"
KEY_CHARS_MAX = 250


def is_search(estimator: Any) -> bool:
    """Tell a search over params, of scikit-learn or like it."""
    from sklearn.model_selection._search import BaseSearchCV

    return isinstance(estimator, BaseSearchCV)


def log(call: LoggedCall, search: Any) -> None:
    """Log a finished search to the run of the call."""
    if hasattr(search, "best_params_"):
        best = {f"best_{key}"[:KEY_CHARS_MAX]: str(value) for key, value in search.best_params_.items()}
        fluent.log_params(best)
    if hasattr(search, "best_score_"):
        fluent.log_metric("best_cv_score", float(search.best_score_), step=0)
    results = search.cv_results_
    fluent_artifacts.log_text(_table(results), RESULTS_FILE)
    for number in _best(results, getattr(call.options, "max_tuning_runs", 5)):
        _log_child(call, search, results, number)


def _best(results: Any, count: int | None) -> list[int]:
    """Return the numbers of the best candidates, the best first; all of them for None."""
    rank = next((it for it in ("rank_test_score", *results) if it.startswith("rank_test_")), None)
    numbers = list(range(len(results["params"])))
    if rank is not None:
        numbers.sort(key=lambda number: int(results[rank][number]))
    return numbers if count is None else numbers[:count]


def _log_child(call: LoggedCall, search: Any, results: Any, number: int) -> None:
    client, parent = StepwellClient(), call.run.info
    kind = type(search.estimator)
    tags = {
        PARENT_TAG: parent.run_id,
        AUTOLOGGING_TAG: call.library,
        "estimator_name": kind.__name__,
        "estimator_class": f"{kind.__module__}.{kind.__name__}",
    }
    child = client.create_run(parent.experiment_id, start_time=parent.start_time, tags=tags).info
    found = {**search.estimator.get_params(deep=True), **results["params"][number]}
    params = [Param(str(key)[:KEY_CHARS_MAX], str(value)) for key, value in found.items()]
    metrics = [
        Metric(key, float(column[number]), parent.start_time, 0)
        for key, column in results.items()
        if not key.startswith(("param", "split")) and _is_number(column[number])
    ]
    client.log_batch(child.run_id, metrics=metrics, params=params)
    client.set_terminated(child.run_id, "FINISHED")


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _table(results: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(results)
    writer.writerows(zip(*results.values(), strict=True))
    return text.getvalue()
