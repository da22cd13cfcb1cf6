"""Autologging of LightGBM: `train`, and the estimators that are made like those of scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from stepwell import extras
from stepwell.autologging import boosting, options
from stepwell.autologging.boosting import Iterations
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.options import Options
from stepwell.autologging.patches import Patches
from stepwell.autologging.remembered import Remembered
from stepwell.autologging.sklearn import after, datasets
from stepwell.errors import short
from stepwell.models.flavors.lightgbm import LightGBM

LIBRARY = "lightgbm"
IMPORTANCE_TYPES = ("split", "gain")
# Data and code; the rest of what `train` is given is logged.
NO_PARAMS = {
    *("params", "train_set", "valid_sets", "valid_names", "fobj", "feval", "init_model", "callbacks"),
    *("learning_rates", "evals_result"),
}
# Among the callbacks of LightGBM: before the one that may end the training, which has 30.
ORDER = 20

_patches = Patches()
# The first rows of data sets, as they were given: training frees them.
_first_rows = Remembered()


@dataclass(frozen=True)
class LightGBMOptions(Options):
    """Beside the keywords of all: see `autolog`."""

    log_post_training_metrics: bool = True


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every training of LightGBM: params, metrics of each iteration, the best one, importances, the model.

    Args:
        disable: turn it off again; every function is what it was.
        disable_for_unsupported_versions: taken for MLflow's sake.
        keywords: those of `Options`, and log_post_training_metrics.

    Raises:
        StepwellException: NOT_IMPLEMENTED when LightGBM is not installed; INVALID_PARAMETER_VALUE.
    """
    chosen = LightGBMOptions.of(keywords)
    library = None if disable else extras.library("lightgbm", "Autologging of LightGBM", "lightgbm")
    _patches.revert()
    after.leave_metrics(LIBRARY)
    options.forget(LIBRARY)
    if library is None:
        return
    options.choose(LIBRARY, chosen)
    boosting.follow_training(_patches, LIBRARY, _Training)
    _patches.around_method(library.Dataset, "__init__", boosting.following_rows(_first_rows))
    base = getattr(library, "LGBMModel", None)
    if base is not None:
        boosting.follow_estimators(_patches, LIBRARY, base, LightGBM)


class _Training:
    """One call of `train`."""

    def __init__(self, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._original, self._args, self._kwargs = original, args, kwargs
        self._given: dict[str, Any] = {}
        self._iterations: Iterations | None = None

    def before(self, call: LoggedCall, *, with_data: bool) -> Callable[[], Any]:
        """Log params and data; returns the training with our callback."""
        self._given = boosting.given_params(self._original, self._args, self._kwargs, set())
        params = {key: value for key, value in self._given.items() if key not in NO_PARAMS}
        call.attempt(call.log_params, {**self._given["params"], **params})
        if with_data and call.options.log_datasets:
            self._log_data(call)
        self._iterations = Iterations(call)
        callbacks = [*(self._given.get("callbacks") or ()), _callback(call, self._iterations)]
        return partial(self._original, **{**self._given, "callbacks": callbacks})

    def _log_data(self, call: LoggedCall) -> None:
        call.attempt(_log_dataset, call, self._given["train_set"], "train", None)
        valid = self._given.get("valid_sets") or ()
        valid = valid if isinstance(valid, (list, tuple)) else [valid]
        names = self._given.get("valid_names") or [None] * len(valid)
        for dataset, name in zip(valid, [names] if isinstance(names, str) else names, strict=False):
            call.attempt(_log_dataset, call, dataset, "eval", name)

    def ended(self, call: LoggedCall, booster: Any, *, with_model: bool) -> None:
        """Log the model, the best iteration and the importances."""
        iterations, model_id = self._iterations, None
        if with_model and call.options.log_models:
            example = _first_rows.get(self._given["train_set"])
            model_id = call.attempt(
                lambda: call.log_model(LightGBM(booster), example=example, predict=booster.predict)
            )
        if iterations is not None and booster.best_iteration > 0:
            # They count from 1 there.
            best = {"stopped_iteration": len(iterations.results), "best_iteration": booster.best_iteration}
            call.attempt(iterations.log_best, booster.best_iteration - 1, best)
        if iterations is not None:
            iterations.note_model(model_id)
        names = booster.feature_name()
        for kind in IMPORTANCE_TYPES:
            values = booster.feature_importance(importance_type=kind).tolist()
            call.later(boosting.log_importances, call, kind, dict(zip(names, values, strict=True)))


def _callback(call: LoggedCall, iterations: Iterations) -> Callable[[Any], None]:
    def tell(environment: Any) -> None:
        call.attempt(_tell, iterations, environment)

    tell.order = ORDER  # type: ignore[attr-defined]
    return tell


def _tell(iterations: Iterations, environment: Any) -> None:
    newest = {f"{it[0]}-{it[1]}": it[2] for it in environment.evaluation_result_list or ()}
    iterations.log(environment.iteration, newest)


def _log_dataset(call: LoggedCall, dataset: Any, context: str, name: str | None) -> None:
    datasets.log_used(call, dataset.data, dataset.label, context, name)
