"""What follows a fit: scores and metrics of its predictions, logged to the run of the fit.

A metric is logged when one of its arguments *is* what predict, predict_proba or transform of a logged estimator
returned; copies and parts of it are something else. It has the name of the function and of the variable that was
predicted on.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from threading import Lock
from types import FunctionType
from typing import Any

from stepwell import beside
from stepwell.autologging import calls, guard, options
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.patches import Patches
from stepwell.autologging.remembered import Remembered
from stepwell.autologging.sklearn import datasets

UNKNOWN = "unknown_dataset"
CALLS_FILE = "metric_info.json"


class Fit:
    """The run that a fit was logged to, and what has been measured since."""

    def __init__(self, call: LoggedCall, model_id: str | None) -> None:
        self.library = call.library
        self.client = call.client
        self.run_id = call.run_id
        self.model_id = model_id
        self.lock = Lock()
        self.data: dict[str, list[int]] = {}
        self.names: dict[str, int] = {}
        self.calls: dict[str, str] = {}

    def name_of(self, variable: str, rows: Any) -> str:
        """Return a name for data: that of its variable, with a number where another object had it before."""
        known = self.data.setdefault(variable, [])
        if id(rows) not in known:
            known.append(id(rows))
        number = known.index(id(rows)) + 1
        return variable if number == 1 else f"{variable}-{number}"

    def log(self, function: str, data: str, value: float, call: str) -> None:
        """Log a metric; the second call of its kind gets a number."""
        with self.lock:
            name = f"{function}_{data}"
            self.names[name] = number = self.names.get(name, 0) + 1
            key = name if number == 1 else f"{function}-{number}_{data}"
            self.calls[key] = call
            calls_so_far = dict(self.calls)
            self.client.log_metric(self.run_id, key, value, step=0)
            beside.leave(self.run_id, lambda: self.client.log_dict(self.run_id, calls_so_far, CALLS_FILE))


_fits = Remembered()
_predictions = Remembered()
_patches = Patches(outermost=True)
# Libraries whose estimators are followed; the functions of scikit-learn are theirs together.
_followers: set[str] = set()


def follow_metrics(library: str) -> None:
    """Log what functions of sklearn.metrics say of predictions, and the usual scores, also for this library."""
    _followers.add(library)
    for kind in usual_scorers():
        _patches.around_method(kind, "score", around_score)
    metrics = import_module("sklearn.metrics")
    for name in metrics.__all__:
        if isinstance(getattr(metrics, name), FunctionType):
            _patches.around_function(metrics, name, around_metric)


def usual_scorers() -> tuple[type, type]:
    """Return the classes that most estimators have their score from, also those of other libraries."""
    base = import_module("sklearn.base")
    return base.ClassifierMixin, base.RegressorMixin


def leave_metrics(library: str) -> None:
    """Do so no more for this library."""
    _followers.discard(library)
    if not _followers:
        _patches.revert()


def remember_fit(estimator: Any, call: LoggedCall, model_id: str | None) -> None:
    """Let what follows be logged to the run of the fit."""
    if getattr(call.options, "log_post_training_metrics", True):
        _fits[estimator] = Fit(call, model_id)


def around_prediction(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Predict, and remember what came of which data."""
    fit = _fit_of(estimator)
    if fit is None:
        return original(estimator, *args, **kwargs)
    with guard.inside():
        result = original(estimator, *args, **kwargs)
        _attempt(fit.library, _remember_prediction, fit, result, _rows(args, kwargs), sys._getframe(1))
    return result


def around_score(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Score, and log it."""
    fit = _fit_of(estimator)
    if fit is None:
        return original(estimator, *args, **kwargs)
    with guard.inside():
        result = original(estimator, *args, **kwargs)
        _attempt(fit.library, _log_score, fit, estimator, result, _rows(args, kwargs), sys._getframe(1))
    return result


def _log_score(fit: Fit, estimator: Any, score: Any, rows: Any, frame: Any) -> None:
    kind = type(estimator).__name__
    data = fit.name_of(_variable(rows, frame), rows)
    fit.log(f"{kind}_score", data, float(score), f"{kind}.score(X={data})")


def around_metric(
    call: Callable[..., Any], original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Measure, and log it if it is about a prediction that is known."""
    if not _followers:
        return call(None, *args, **kwargs)
    with guard.inside():
        result = call(None, *args, **kwargs)
    found = next((it for each in (*args, *kwargs.values()) if (it := _predictions.get(each))), None)
    if found is not None and _is_number(result):
        fit, data = found
        _attempt(fit.library, _log_metric, fit, data, original, args, kwargs, result, sys._getframe(1))
    return result


def _log_metric(
    fit: Fit, data: str, original: Any, args: Any, kwargs: dict[str, Any], result: Any, frame: Any
) -> None:
    text = f"{original.__name__}({_arguments(original, args, kwargs, frame)})"
    fit.log(original.__name__, data, float(result), text)


def _fit_of(estimator: Any) -> Fit | None:
    if guard.is_inside():
        return None
    found: Fit | None = _fits.get(estimator)
    return found if found is not None and options.chosen(found.library) is not None else None


def _remember_prediction(fit: Fit, result: Any, rows: Any, frame: Any) -> None:
    data = fit.name_of(_variable(rows, frame), rows)
    try:
        _predictions[result] = (fit, data)
    except TypeError:
        return  # a list or a sparse matrix, which cannot be followed
    chosen = options.chosen(fit.library)
    if chosen is not None and chosen.log_datasets:
        datasets.log_evaluation(fit.client, fit.run_id, rows)


def _rows(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs.get("X")


def _variable(value: Any, frame: Any) -> str:
    """Return the name by which the caller, outside of Stepwell and scikit-learn, knows an object."""
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in (
        "stepwell",
        "sklearn",
    ):
        frame = frame.f_back
    for names in (frame.f_locals, frame.f_globals) if frame is not None else ():
        named = (name for name, it in list(names.items()) if it is value and not name.startswith("_"))
        found: str | None = next(named, None)
        if found:
            return found
    return UNKNOWN


def _arguments(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], frame: Any) -> str:
    import inspect

    given = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    return ", ".join(f"{name}={_said(value, frame)}" for name, value in given.items())


def _said(value: Any, frame: Any) -> str:
    if value is None or isinstance(value, (str, int, float, bool)):
        return repr(value)
    name = _variable(value, frame)
    return f"<{type(value).__name__}>" if name == UNKNOWN else name


def _is_number(value: Any) -> bool:
    import numpy as np

    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _attempt(library: str, work: Callable[..., Any], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Exception as failure:  # noqa: BLE001 - the user's call has its result, whatever becomes of the rest
        if not getattr(options.chosen(library), "silent", False):
            calls.tell(library, failure)
