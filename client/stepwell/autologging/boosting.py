"""What boosted trees log, whichever library grows them: estimators, metrics by iteration, the best one, importances."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from stepwell.autologging import calls, pictures
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.patches import Around, Patches
from stepwell.autologging.remembered import Remembered
from stepwell.autologging.sklearn import after, datasets
from stepwell.autologging.sklearn.fitting import given_data
from stepwell.models.flavor import Flavor

# The logged fit of an estimator, whose training is to log its metrics.
_fit: ContextVar[LoggedCall | None] = ContextVar("stepwell_boosted_fit", default=None)


class Training(Protocol):
    """One call of `train`."""

    def before(self, call: LoggedCall, *, with_data: bool) -> Callable[[], Any]:
        """Log what is known beforehand; returns how to make the call, with a callback of ours."""

    def ended(self, call: LoggedCall, booster: Any, *, with_model: bool) -> None:
        """Log what came of it."""


class Iterations:
    """Metrics of each iteration, logged as they come."""

    def __init__(self, call: LoggedCall) -> None:
        self._call = call
        self.results: list[dict[str, float]] = []

    def log(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Log an iteration; whatever is wrong with it is told."""
        named = self._call.numbers({key.replace("@", "_at_"): value for key, value in metrics.items()})
        self.results.append(named)
        if named:
            self._call.log_step(named, step=number)

    def log_best(self, number: int, best: Mapping[str, float]) -> None:
        """Log which iteration was the best of those that were made, and its metrics once more, behind the last step."""
        self._call.log_metrics(dict(best), step=0)
        if 0 <= number < len(self.results):
            self._call.log_metrics(self.results[number], step=len(self.results))

    def note_model(self, model_id: str | None) -> None:
        """Note that the last iteration's metrics are those of a model."""
        if self.results:
            self._call.note_model_metrics(model_id, self.results[-1], len(self.results) - 1)


def follow_estimators(patches: Patches, library: str, base: type, flavor: Callable[[Any], Flavor]) -> None:
    """Follow the estimators of a library: those that it derives from a class, which needs scikit-learn."""
    if find_spec("sklearn") is None:
        return
    after.follow_metrics(library)
    for kind in _below(base):
        if kind.__module__.partition(".")[0] != library:
            continue
        if "fit" in vars(kind):
            patches.around_method(kind, "fit", _around_fit(library, flavor))
        for name in ("predict", "predict_proba"):
            if name in vars(kind):
                patches.around_method(kind, name, after.around_prediction)
        if "score" in vars(kind):
            patches.around_method(kind, "score", after.around_score)


def follow_training(
    patches: Patches, library: str, make: Callable[[Any, tuple[Any, ...], dict[str, Any]], Training]
) -> None:
    """Follow the function `train` of a library, also where its estimators call it, by a name of their own."""

    def around(_: Any, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        training = make(original, args, kwargs)
        return calls.carried_out(
            library,
            partial(original, *args, **kwargs),
            partial(training.before, with_data=True),
            partial(training.ended, with_model=True),
        )

    def within_fit(_: Any, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _fit.get()
        if call is None:
            return original(*args, **kwargs)
        training = make(original, args, kwargs)
        token = _fit.set(None)
        try:
            train = call.attempt(training.before, call, with_data=False)
            result = train() if train is not None else original(*args, **kwargs)
        finally:
            _fit.reset(token)
        call.attempt(training.ended, call, result, with_model=False)
        return result

    patches.around_function(import_module(library), "train", around)
    patches.around_function(import_module(f"{library}.sklearn"), "train", within_fit)


def following_rows(store: Remembered) -> Around:
    """Return what goes around the making of a library's own kind of data: its first rows are kept as they came."""

    def around(original: Any, made: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = original(made, *args, **kwargs)
        with suppress(Exception):  # then there is no example, and no signature
            rows = datasets.first_rows(args[0] if args else kwargs.get("data"))
            if hasattr(rows, "copy"):  # else it is the name of a file, or an iterator
                store[made] = rows.copy()
        return result

    return around


def given_params(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], left_out: set[str]
) -> dict[str, Any]:
    """Return the arguments of a call with their defaults, without those that are data or code."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if name not in left_out}


def log_importances(call: LoggedCall, kind: str, importances: Mapping[str, Any]) -> None:
    """Log how much features count, by name, as JSON and as a picture."""
    content = json.dumps(importances, indent=2).encode()
    call.attempt(call.log_bytes, content, f"feature_importance_{kind}.json")
    if importances and pictures.can_be_drawn():
        picture = pictures.bars(list(importances), list(importances.values()), f"Feature Importance ({kind})")
        call.log_bytes(picture, f"feature_importance_{kind}.png")


def _around_fit(library: str, flavor: Callable[[Any], Flavor]) -> Around:
    def around(original: Any, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plain = partial(original, estimator, *args, **kwargs)

        def before(call: LoggedCall) -> Callable[[], Any]:
            def fit() -> Any:
                token = _fit.set(call)
                try:
                    return plain()
                finally:
                    _fit.reset(token)

            rows, labels, _ = given_data(estimator, original, args, kwargs)
            if call.options.log_datasets:
                call.attempt(datasets.log_used, call, rows, labels, "train")
                call.attempt(_log_evaluated, call, kwargs.get("eval_set"), library)
            return fit

        def ended(call: LoggedCall, _: Any) -> None:
            rows, _, _ = given_data(estimator, original, args, kwargs)
            model_id = None
            if call.options.log_models:
                example = datasets.first_rows(rows)
                model_id = call.attempt(
                    lambda: call.log_model(flavor(estimator), example=example, predict=estimator.predict)
                )
            after.remember_fit(estimator, call, model_id)

        return calls.carried_out(library, plain, before, ended)

    return around


def _log_evaluated(call: LoggedCall, given: Any, library: str) -> None:
    """Note the data that an estimator is evaluated with in each iteration, by the names that its metrics have."""
    pairs = [given] if isinstance(given, tuple) else given or ()
    named = {"xgboost": "validation", "lightgbm": "valid"}[library]
    for number, (rows, labels) in enumerate(pairs):
        datasets.log_used(call, rows, labels, "eval", f"{named}_{number}")


def _below(kind: Any) -> set[Any]:
    found: set[Any] = {kind}
    for each in kind.__subclasses__():
        found |= _below(each)
    return found
