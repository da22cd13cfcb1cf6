"""What a fitted estimator says of the data that it was fitted with, as it was in the moment after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Predictions:
    """Arrays of shape (rows,), and of shape (rows, classes) for chances; None for what an estimator does not say.

    `labels` and `weights` are copies. `decisions` has what decision_function says where there are no chances. `score`
    is None where it follows from the predictions, as scikit-learn's own does.
    """

    is_classifier: bool
    labels: Any
    weights: Any
    predicted: Any
    chances: Any
    decisions: Any
    classes: Any
    score: float | None

    @classmethod
    def of(cls, estimator: Any, rows: Any, labels: Any, weights: Any) -> "Predictions | None":
        """Ask an estimator; None where nothing can be said of it."""
        from sklearn.base import is_classifier, is_regressor

        predicts = hasattr(estimator, "predict") and (is_classifier(estimator) or is_regressor(estimator))
        has_classes = predicts and is_classifier(estimator)
        chances = (
            estimator.predict_proba(rows) if has_classes and hasattr(estimator, "predict_proba") else None
        )
        wants_decisions = has_classes and chances is None and hasattr(estimator, "decision_function")
        follows = predicts and _has_usual_score(type(estimator), has_classes)
        if not predicts and not hasattr(estimator, "score"):
            return None
        return cls(
            is_classifier=has_classes,
            labels=copied(labels),
            weights=copied(weights),
            predicted=estimator.predict(rows) if predicts else None,
            chances=chances,
            decisions=estimator.decision_function(rows) if wants_decisions else None,
            classes=getattr(estimator, "classes_", None),
            score=None if follows else _score(estimator, rows, labels, weights),
        )

    @property
    def size_bytes(self) -> int:
        """What the arrays hold."""
        arrays = (self.labels, self.weights, self.predicted, self.chances, self.decisions)
        return sum(int(getattr(each, "nbytes", 0)) for each in arrays)


def _has_usual_score(kind: type, is_classifier: bool) -> bool:
    """Tell whether the score is that of scikit-learn's classifiers, the accuracy, or of its regressors, r2."""
    from sklearn.base import ClassifierMixin, RegressorMixin

    definer = next((each for each in kind.__mro__ if "score" in vars(each)), None)
    return definer is (ClassifierMixin if is_classifier else RegressorMixin)


def _score(estimator: Any, rows: Any, labels: Any, weights: Any) -> float | None:
    import inspect

    score: Callable[..., Any] | None = getattr(estimator, "score", None)
    if score is None:
        return None
    takes = weights is not None and "sample_weight" in inspect.signature(score).parameters
    try:
        return float(score(rows, labels, **({"sample_weight": weights} if takes else {})))
    except (ValueError, TypeError, AttributeError):
        return None


def copied(data: Any) -> Any:
    """Return a copy of labels or weights; None for None."""
    if data is None:
        return None
    return data.copy() if hasattr(data, "copy") else list(data)
