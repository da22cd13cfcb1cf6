"""Autologging of XGBoost: `train`, and the estimators that are made like those of scikit-learn."""

from collections.abc import Callable, Mapping, Sequence
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
from stepwell.errors import invalid, short
from stepwell.models.flavors.xgboost import FORMATS, XGBoost

LIBRARY = "xgboost"
IMPORTANCE_TYPES = ("weight", "gain", "cover", "total_gain", "total_cover")
IMPORTANCE_TYPES_DEFAULT = ("weight",)
# Data and code; the rest of what `train` is given is logged.
NO_PARAMS = {"params", "dtrain", "evals", "obj", "feval", "evals_result", "xgb_model", "callbacks"}
# A matrix must be unpacked in order to be described.
UNPACKED_BYTES_MAX = 256 * 2**20
FLOAT_BYTES = 4

_patches = Patches()
# The first rows of matrices, as they were given: a matrix itself knows numbers alone.
_first_rows = Remembered()


@dataclass(frozen=True)
class XGBoostOptions(Options):
    """Beside the keywords of all: see `autolog`."""

    importance_types: Sequence[str] | None = None
    log_post_training_metrics: bool = True
    model_format: str = "ubj"

    def __post_init__(self) -> None:
        """Refuse what means nothing. StepwellException INVALID_PARAMETER_VALUE."""
        super().__post_init__()
        if isinstance(self.importance_types, str):
            raise invalid(f"importance_types is a list, such as [{self.importance_types!r}].")
        for kind in self.importance_types or ():
            if kind not in IMPORTANCE_TYPES:
                raise invalid(f"An importance is one of {', '.join(IMPORTANCE_TYPES)}, not {kind!r}.")
        if self.model_format not in FORMATS:
            raise invalid(f"model_format is one of {', '.join(FORMATS)}, not {self.model_format!r}.")


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every training of XGBoost: params, metrics of each iteration, the best one, importances, the model.

    Args:
        disable: turn it off again; every function is what it was.
        disable_for_unsupported_versions: taken for MLflow's sake.
        keywords: those of `Options`, and importance_types ("weight" if not given), model_format ("ubj", "json" or
            "xgb"), log_post_training_metrics.

    Raises:
        StepwellException: NOT_IMPLEMENTED when XGBoost is not installed; INVALID_PARAMETER_VALUE.
    """
    chosen = XGBoostOptions.of(keywords)
    library = None if disable else extras.library("xgboost", "Autologging of XGBoost", "xgboost")
    _patches.revert()
    after.leave_metrics(LIBRARY)
    options.forget(LIBRARY)
    if library is None:
        return
    options.choose(LIBRARY, chosen)
    boosting.follow_training(_patches, LIBRARY, _Training)
    for kind in (library.DMatrix, getattr(library, "QuantileDMatrix", None)):
        if kind is not None and "__init__" in vars(kind):
            _patches.around_method(kind, "__init__", boosting.following_rows(_first_rows))
    base = getattr(library, "XGBModel", None)
    if base is not None:
        boosting.follow_estimators(_patches, LIBRARY, base, lambda it: XGBoost(it, chosen.model_format))


class _Training:
    """One call of `train`."""

    def __init__(self, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._original, self._args, self._kwargs = original, args, kwargs
        self._given: dict[str, Any] = {}
        self._iterations: Iterations | None = None

    def before(self, call: LoggedCall, *, with_data: bool) -> Callable[[], Any]:
        """Log params and data; returns the training with our callback, before those that may end it."""
        self._given = boosting.given_params(self._original, self._args, self._kwargs, set())
        params = {key: value for key, value in self._given.items() if key not in NO_PARAMS}
        call.attempt(call.log_params, {**dict(self._given["params"]), **params})
        if with_data and call.options.log_datasets:
            call.attempt(_log_matrix, call, self._given["dtrain"], "train", None)
            for matrix, name in self._given.get("evals") or ():
                call.attempt(_log_matrix, call, matrix, "eval", name)
        self._iterations = Iterations(call)
        callbacks = [_callback(call, self._iterations), *(self._given.get("callbacks") or ())]
        keywords = {
            key: it for key, it in self._given.items() if key not in ("params", "dtrain", "callbacks")
        }
        return partial(
            self._original, self._given["params"], self._given["dtrain"], callbacks=callbacks, **keywords
        )

    def ended(self, call: LoggedCall, booster: Any, *, with_model: bool) -> None:
        """Log the model, the best iteration and the importances."""
        iterations, model_id = self._iterations, None
        if with_model and call.options.log_models:
            model_id = call.attempt(self._log_model, call, booster)
        if iterations is not None and self._given.get("early_stopping_rounds"):
            best = {
                "stopped_iteration": len(iterations.results) - 1,
                "best_iteration": booster.best_iteration,
            }
            call.attempt(iterations.log_best, booster.best_iteration, best)
        if iterations is not None:
            iterations.note_model(model_id)
        for kind in getattr(call.options, "importance_types", None) or IMPORTANCE_TYPES_DEFAULT:
            found = call.attempt(booster.get_score, importance_type=kind)
            if found is not None:
                call.later(boosting.log_importances, call, kind, found)

    def _log_model(self, call: LoggedCall, booster: Any) -> str | None:
        matrix = self._given["dtrain"]
        made = XGBoost(booster, getattr(call.options, "model_format", "ubj"))
        return call.log_model(
            made, example=_first_rows.get(matrix), predict=lambda rows: booster.predict(_matrix(rows))
        )


def _matrix(rows: Any) -> Any:
    import xgboost

    return xgboost.DMatrix(rows)


def _callback(call: LoggedCall, iterations: Iterations) -> Any:
    import xgboost

    class Callback(xgboost.callback.TrainingCallback):
        """Tells of each iteration; of the last one behind the training, where another callback ended it first.

        Older versions ask callbacks in any order, and none behind the one that ends the training.
        """

        _log: Mapping[str, Any] = {}
        _next = 0
        _told = 0

        def before_training(self, model: Any) -> Any:
            """Begin where an earlier training ended."""
            self._next = model.num_boosted_rounds()
            return model

        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
            """Log the newest value of each metric; training goes on."""
            self._log = evals_log
            call.attempt(self._tell, epoch)
            return False

        def after_training(self, model: Any) -> Any:
            """Log the last iteration, if it was not told of."""
            if _iterations_in(self._log) > self._told:
                call.attempt(self._tell, self._next)
            return model

        def _tell(self, epoch: int) -> None:
            newest = {
                f"{data}-{name}": _newest(values)
                for data, metrics in self._log.items()
                for name, values in metrics.items()
            }
            iterations.log(epoch, newest)
            self._next, self._told = epoch + 1, _iterations_in(self._log)

    return Callback()


def _iterations_in(log: Mapping[str, Any]) -> int:
    return max((len(values) for metrics in log.values() for values in metrics.values()), default=0)


def _newest(values: Any) -> Any:
    value = values[-1]
    return value[0] if isinstance(value, tuple) else value


def _log_matrix(call: LoggedCall, matrix: Any, context: str, name: str | None) -> None:
    """Note a matrix, as numbers; one that is too large to be unpacked is not described."""
    if matrix.num_row() * matrix.num_col() * FLOAT_BYTES > UNPACKED_BYTES_MAX:
        return
    labels = matrix.get_label()
    rows = matrix.get_data().toarray()
    datasets.log_used(call, rows, labels if len(labels) else None, context, name)
