"""Metrics of a fitted estimator on the data that it was fitted with, by MLflow's names.

They are computed beside the training, where the filters of warnings, which are those of the whole process, must not be
changed: what would warn is told beforehand, or left out.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from stepwell.autologging.sklearn.predictions import Predictions

PREFIX = "training_"


def metrics_of(taken: Predictions, pos_label: Any) -> dict[str, float]:
    """Return metrics by name; empty where nothing was predicted. One that fails is left out."""
    found: dict[str, Callable[[], Any]] = {}
    if taken.is_classifier:
        found = _of_classifier(taken, pos_label)
    elif taken.predicted is not None:
        found = _of_regressor(taken)
    if taken.score is not None:
        found["score"] = lambda: taken.score
    return {PREFIX + name: value for name, work in found.items() if (value := _number(work)) is not None}


def _of_classifier(taken: Predictions, pos_label: Any) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics

    labels, predicted, weights = taken.labels, taken.predicted, taken.weights
    average: dict[str, Any] = (
        {"average": "weighted"} if pos_label is None else {"average": "binary", "pos_label": pos_label}
    )
    precision = partial(
        metrics.precision_recall_fscore_support,
        *(labels, predicted),
        sample_weight=weights,
        zero_division=0,
        **average,
    )
    names = ("precision_score", "recall_score", "f1_score")
    together = _values(precision, len(names))
    found: dict[str, Callable[[], Any]] = {
        name: partial(float, value) for name, value in zip(names, together, strict=False)
    }
    accuracy = _number(partial(metrics.accuracy_score, labels, predicted, sample_weight=weights))
    found["accuracy_score"] = lambda: accuracy
    if taken.score is None:
        found["score"] = lambda: accuracy
    if taken.chances is not None and len(taken.classes) > 1:
        chances = taken.chances
        found["log_loss"] = lambda: metrics.log_loss(labels, chances, sample_weight=weights)
        positive = chances[:, 1] if getattr(chances, "shape", (0, 0))[1] == 2 else chances
        found["roc_auc"] = lambda: metrics.roc_auc_score(
            labels, positive, average="weighted", sample_weight=weights, multi_class="ovo"
        )
    return found


def _of_regressor(taken: Predictions) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics

    labels, predicted, weights = taken.labels, taken.predicted, taken.weights
    squared = _number(partial(metrics.mean_squared_error, labels, predicted, sample_weight=weights))
    found: dict[str, Callable[[], Any]] = {
        "mean_squared_error": lambda: squared,
        "root_mean_squared_error": lambda: None if squared is None else squared**0.5,
        "mean_absolute_error": partial(metrics.mean_absolute_error, labels, predicted, sample_weight=weights),
    }
    if len(predicted) > 1:
        r2 = _number(partial(metrics.r2_score, labels, predicted, sample_weight=weights))
        found["r2_score"] = lambda: r2
        if taken.score is None:
            found["score"] = lambda: r2
    return found


def _values(work: Callable[[], Any], count: int) -> tuple[Any, ...]:
    try:
        return tuple(work())[:count]
    except (ValueError, TypeError, AttributeError, Warning):
        return ()


def _number(work: Callable[[], Any]) -> float | None:
    """Return a metric; None where the data has none of its kind, such as roc_auc of one class."""
    try:
        return float(work())
    except (ValueError, TypeError, AttributeError, Warning):
        return None
