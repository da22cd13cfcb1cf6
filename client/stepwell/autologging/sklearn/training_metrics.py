"""Metrics of a fitted estimator on the data that it was fitted with, by MLflow's names."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from stepwell.autologging.options import Options

PREFIX = "training_"


def metrics_of(estimator: Any, rows: Any, labels: Any, weights: Any, options: Options) -> dict[str, float]:
    """Return metrics by name; empty where nothing can be predicted. One that fails is left out."""
    from sklearn.base import is_classifier, is_regressor

    found: dict[str, Callable[[], Any]] = {}
    if is_classifier(estimator) and hasattr(estimator, "predict"):
        found = _of_classifier(estimator, rows, labels, weights, getattr(options, "pos_label", None))
    elif is_regressor(estimator) and hasattr(estimator, "predict"):
        found = _of_regressor(estimator, rows, labels, weights)
    if hasattr(estimator, "score"):
        found["score"] = lambda: estimator.score(rows, labels, **_weighted(estimator.score, weights))
    return {PREFIX + name: value for name, work in found.items() if (value := _number(work)) is not None}


def _of_classifier(
    estimator: Any, rows: Any, labels: Any, weights: Any, pos_label: Any
) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics

    predicted = estimator.predict(rows)
    average: dict[str, Any] = (
        {"average": "weighted"} if pos_label is None else {"average": "binary", "pos_label": pos_label}
    )
    of_labels: dict[str, Callable[..., Any]] = {
        "precision_score": metrics.precision_score,
        "recall_score": metrics.recall_score,
        "f1_score": metrics.f1_score,
    }
    found: dict[str, Callable[[], Any]] = {
        name: partial(score, labels, predicted, sample_weight=weights, **average)
        for name, score in of_labels.items()
    }
    found["accuracy_score"] = lambda: metrics.accuracy_score(labels, predicted, sample_weight=weights)
    if hasattr(estimator, "predict_proba"):
        chances = estimator.predict_proba(rows)
        found["log_loss"] = lambda: metrics.log_loss(labels, chances, sample_weight=weights)
        positive = chances[:, 1] if getattr(chances, "shape", (0, 0))[1] == 2 else chances
        found["roc_auc"] = lambda: metrics.roc_auc_score(
            labels, positive, average="weighted", sample_weight=weights, multi_class="ovo"
        )
    return found


def _of_regressor(estimator: Any, rows: Any, labels: Any, weights: Any) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics

    predicted = estimator.predict(rows)

    def squared() -> float:
        return float(metrics.mean_squared_error(labels, predicted, sample_weight=weights))

    return {
        "mean_squared_error": squared,
        "root_mean_squared_error": lambda: squared() ** 0.5,
        "mean_absolute_error": lambda: metrics.mean_absolute_error(labels, predicted, sample_weight=weights),
        "r2_score": lambda: metrics.r2_score(labels, predicted, sample_weight=weights),
    }


def _weighted(score: Any, weights: Any) -> dict[str, Any]:
    takes = weights is not None and "sample_weight" in inspect.signature(score).parameters
    return {"sample_weight": weights} if takes else {}


def _number(work: Callable[[], Any]) -> float | None:
    """Return a metric; None where the data has none of its kind, such as roc_auc of one class."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(work())
    except (ValueError, TypeError, AttributeError):
        return None
