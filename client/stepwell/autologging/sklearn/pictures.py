"""Pictures of a fitted estimator: its diagram, and how it tells classes apart; without matplotlib the diagram alone."""

from importlib.util import find_spec
from typing import Any

from stepwell import fluent_artifacts

DIAGRAM_FILE = "estimator.html"


def log(estimator: Any, rows: Any, labels: Any, weights: Any) -> None:
    """Log the diagram, and for classifiers the plots that can be drawn."""
    from sklearn.base import is_classifier
    from sklearn.utils import estimator_html_repr

    fluent_artifacts.log_text(estimator_html_repr(estimator), DIAGRAM_FILE)
    if labels is None or not is_classifier(estimator) or not find_spec("matplotlib"):
        return
    for name, figure in _figures(estimator, rows, labels, weights).items():
        fluent_artifacts.log_figure(figure, f"training_{name}.png")


def _figures(estimator: Any, rows: Any, labels: Any, weights: Any) -> dict[str, Any]:
    from matplotlib.figure import Figure
    from sklearn import metrics

    found = {"confusion_matrix": Figure()}
    metrics.ConfusionMatrixDisplay.from_predictions(
        labels,
        estimator.predict(rows),
        sample_weight=weights,
        normalize="true",
        ax=found["confusion_matrix"].subplots(),
    )
    if len(getattr(estimator, "classes_", ())) == 2:
        for name, display in (
            ("roc_curve", metrics.RocCurveDisplay),
            ("precision_recall_curve", metrics.PrecisionRecallDisplay),
        ):
            found[name] = Figure()
            display.from_estimator(estimator, rows, labels, sample_weight=weights, ax=found[name].subplots())
    return found
