"""What follows a fit: scores and metrics of its predictions, logged to the run of the fit.

A metric is logged when one of its arguments *is* what predict, predict_proba or transform of a logged estimator
returned; copies and parts of it are something else. It has the name of the function and of the variable that was
predicted on.
"""

import sys
import weakref
from collections.abc import Callable
from threading import Lock
from typing import Any

from stepwell.autologging import calls, guard, options
from stepwell.autologging.sklearn import datasets
from stepwell.client import StepwellClient

LIBRARY = "sklearn"
UNKNOWN = "unknown_dataset"
CALLS_FILE = "metric_info.json"


class _Remembered:
    """Values by object, as long as the object lives; no other object is taken for it."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[Any, Any]] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        number = id(key)
        self._found[number] = (weakref.ref(key, lambda _: self._found.pop(number, None)), value)

    def get(self, key: Any) -> Any:
        """Return what is known of an object; None if nothing is."""
        found = self._found.get(id(key))
        return found[1] if found is not None and found[0]() is key else None


class Fit:
    """The run that a fit was logged to, and what has been measured since."""

    def __init__(self, run_id: str, model_id: str | None) -> None:
        self.run_id = run_id
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
            client = StepwellClient()
            client.log_metric(self.run_id, key, value, step=0)
            client.log_dict(self.run_id, self.calls, CALLS_FILE)


_fits = _Remembered()
_predictions = _Remembered()


def remember_fit(estimator: Any, run_id: str, model_id: str | None) -> None:
    """Let what follows be logged to the run of the fit."""
    _fits[estimator] = Fit(run_id, model_id)


def around_prediction(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Predict, and remember what came of which data."""
    fit = _fit_of(estimator)
    if fit is None:
        return original(estimator, *args, **kwargs)
    with guard.inside():
        result = original(estimator, *args, **kwargs)
        _attempt(_remember_prediction, fit, result, _rows(args, kwargs), sys._getframe(1))
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
        rows = _rows(args, kwargs)
        data = fit.name_of(_variable(rows, sys._getframe(1)), rows)
        name = f"{type(estimator).__name__}_score"
        _attempt(fit.log, name, data, float(result), f"{type(estimator).__name__}.score(X={data})")
    return result


def around_metric(
    call: Callable[..., Any], original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Measure, and log it if it is about a prediction that is known."""
    if options.chosen(LIBRARY) is None or guard.is_inside():
        return call(None, *args, **kwargs)
    with guard.inside():
        result = call(None, *args, **kwargs)
    found = next((it for each in (*args, *kwargs.values()) if (it := _predictions.get(each))), None)
    if found is not None and _is_number(result):
        fit, data = found
        text = f"{original.__name__}({_arguments(original, args, kwargs, sys._getframe(1))})"
        _attempt(fit.log, original.__name__, data, float(result), text)
    return result


def _fit_of(estimator: Any) -> Fit | None:
    if options.chosen(LIBRARY) is None or guard.is_inside():
        return None
    found: Fit | None = _fits.get(estimator)
    return found


def _remember_prediction(fit: Fit, result: Any, rows: Any, frame: Any) -> None:
    data = fit.name_of(_variable(rows, frame), rows)
    try:
        _predictions[result] = (fit, data)
    except TypeError:
        return  # a list or a sparse matrix, which cannot be followed
    chosen = options.chosen(LIBRARY)
    if chosen is not None and chosen.log_datasets:
        datasets.log_evaluation(fit.run_id, rows)


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


def _attempt(work: Callable[..., Any], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Exception as failure:  # noqa: BLE001 - the user's call has its result, whatever becomes of the rest
        calls.tell(LIBRARY, failure)
