"""Searches over params: the best one's params and score, all results as a table, the best candidates as children."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from stepwell.autologging.calls import AUTOLOGGING_TAG, KEY_CHARS_MAX, LoggedCall
from stepwell.entities import Metric, Param

RESULTS_FILE = "cv_results.csv"
PARENT_TAG = "mlflow.parentRunId"


def is_search(estimator: Any) -> bool:
    """Tell a search over params, of scikit-learn or like it."""
    from sklearn.model_selection._search import BaseSearchCV

    return isinstance(estimator, BaseSearchCV)


def log(call: LoggedCall, search: Any) -> None:
    """Log a finished search to the run of the call; its table and its children later."""
    results = dict(search.cv_results_)
    kind = type(search.estimator)
    tags = {"estimator_name": kind.__name__, "estimator_class": f"{kind.__module__}.{kind.__name__}"}
    params = dict(search.estimator.get_params(deep=True))
    call.later(_log_later, call, results, params, tags)
    if hasattr(search, "best_params_"):
        call.log_params({f"best_{key}": value for key, value in search.best_params_.items()})
    if hasattr(search, "best_score_"):
        call.log_metrics({"best_cv_score": float(search.best_score_)}, step=0)


def _log_later(
    call: LoggedCall, results: Mapping[str, Any], params: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    call.attempt(call.log_bytes, _table(results).encode(), RESULTS_FILE)
    for number in _best(results, getattr(call.options, "max_tuning_runs", 5)):
        _log_child(call, {**params, **results["params"][number]}, results, number, tags)


def _best(results: Mapping[str, Any], count: int | None) -> list[int]:
    """Return the numbers of the best candidates, the best first; all of them for None."""
    rank = next(
        (it for it in results if it.startswith("rank_test_")), None
    )  # of several scores, the first one's
    numbers = list(range(len(results["params"])))
    if rank is not None:
        numbers.sort(key=lambda number: int(results[rank][number]))
    return numbers if count is None else numbers[:count]


def _log_child(
    call: LoggedCall,
    params: Mapping[str, Any],
    results: Mapping[str, Any],
    number: int,
    tags: Mapping[str, str],
) -> None:
    assert call.run is not None
    parent = call.run.info
    own_tags = {PARENT_TAG: parent.run_id, AUTOLOGGING_TAG: call.library, **tags}
    child = call.client.create_run(parent.experiment_id, start_time=parent.start_time, tags=own_tags).info
    metrics = [
        Metric(key, float(column[number]), parent.start_time, 0)
        for key, column in results.items()
        if not key.startswith(("param", "split")) and _is_number(column[number])
    ]
    texts = [Param(str(key)[:KEY_CHARS_MAX], str(value)) for key, value in params.items()]
    call.client.log_batch(child.run_id, metrics=metrics, params=texts)
    call.client.log_inputs(child.run_id, call.trained_on)
    call.client.set_terminated(child.run_id, "FINISHED")


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _table(results: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(results)
    writer.writerows(zip(*results.values(), strict=True))
    return text.getvalue()
