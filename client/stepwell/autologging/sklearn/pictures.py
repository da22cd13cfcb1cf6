"""Pictures of a fitted estimator: its diagram, and how it tells classes apart; without matplotlib the diagram alone."""

import copy
from functools import partial
from typing import Any

from stepwell.autologging import pictures
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.sklearn.predictions import Predictions

DIAGRAM_FILE = "estimator.html"
# Parts of parts of an estimator, such as the steps of a pipeline in a search.
DEPTH_MAX = 10


def as_it_is(estimator: Any, depth: int = 0) -> Any:
    """Return an estimator that shows what this one shows now, whatever is set in it or its parts later."""
    if isinstance(estimator, (list, tuple)) and depth < DEPTH_MAX:
        return type(estimator)(as_it_is(each, depth + 1) for each in estimator)
    if isinstance(estimator, type) or not hasattr(estimator, "get_params") or depth == DEPTH_MAX:
        return estimator
    twin = copy.copy(estimator)
    for name, value in list(vars(twin).items()):
        if not name.endswith("_"):  # those are what a fit found, and shown by no diagram
            vars(twin)[name] = as_it_is(value, depth + 1)
    return twin


def log_diagram(call: LoggedCall, estimator: Any) -> None:
    """Log the diagram of an estimator; None for one that there is none of."""
    from sklearn.utils import estimator_html_repr

    if estimator is not None:
        call.client.log_text(call.run_id, estimator_html_repr(estimator), DIAGRAM_FILE)


def log_plots(call: LoggedCall, taken: Predictions) -> None:
    """Log the plots that can be drawn of a classifier, for two classes also its curves."""
    if not taken.is_classifier or not pictures.can_be_drawn():
        return
    plots = {"confusion_matrix": _confusion_matrix}
    if taken.classes is not None and len(taken.classes) == 2 and _positive(taken) is not None:
        plots |= {"roc_curve": _roc_curve, "precision_recall_curve": _precision_recall_curve}
    for name, draw in plots.items():
        picture = call.attempt(partial(draw, taken))
        if picture is not None:
            call.log_bytes(picture, f"training_{name}.png")


def _positive(taken: Predictions) -> Any:
    """Return how much speaks for the second of two classes, of shape (rows,)."""
    return taken.decisions if taken.chances is None else taken.chances[:, 1]


def _confusion_matrix(taken: Predictions) -> bytes:
    from sklearn import metrics
    from sklearn.utils.multiclass import unique_labels

    shares = metrics.confusion_matrix(
        taken.labels, taken.predicted, sample_weight=taken.weights, normalize="true"
    )
    return pictures.confusion_matrix(shares, list(unique_labels(taken.labels, taken.predicted)))


def _roc_curve(taken: Predictions) -> bytes:
    from sklearn import metrics

    x, y, _ = metrics.roc_curve(
        taken.labels, _positive(taken), pos_label=taken.classes[1], sample_weight=taken.weights
    )
    names = ("False Positive Rate", "True Positive Rate")
    return pictures.curve(x, y, names=names, label=f"AUC = {metrics.auc(x, y):.2f}")


def _precision_recall_curve(taken: Predictions) -> bytes:
    from sklearn import metrics

    given = {"pos_label": taken.classes[1], "sample_weight": taken.weights}
    precision, recall, _ = metrics.precision_recall_curve(taken.labels, _positive(taken), **given)
    average = metrics.average_precision_score(taken.labels, _positive(taken), **given)
    return pictures.curve(
        *(recall, precision), names=("Recall", "Precision"), label=f"AP = {average:.2f}", is_stepped=True
    )
