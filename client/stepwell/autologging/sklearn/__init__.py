"""Autologging of scikit-learn: which methods are followed, and the function that turns it on."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from stepwell import extras
from stepwell.autologging import guard, options
from stepwell.autologging.options import Options
from stepwell.autologging.patches import Patches
from stepwell.errors import invalid, short
from stepwell.models.flavors.sklearn import CLOUDPICKLE, FORMATS

LIBRARY = "sklearn"
TRAINING = ("fit", "fit_transform", "fit_predict")
PREDICTION = ("predict", "predict_proba", "transform")
# They call what they are given again and again, on parts of the data.
VALIDATION = (
    "cross_validate",
    "cross_val_predict",
    "cross_val_score",
    "learning_curve",
    "permutation_test_score",
    "validation_curve",
)

_patches = Patches(outermost=True)


@dataclass(frozen=True)
class SklearnOptions(Options):
    """Beside the keywords of all: see `autolog`."""

    max_tuning_runs: int | None = 5
    log_post_training_metrics: bool = True
    serialization_format: str = CLOUDPICKLE
    pos_label: Any = None

    def __post_init__(self) -> None:
        """Refuse what means nothing. StepwellException INVALID_PARAMETER_VALUE."""
        super().__post_init__()
        number, form = self.max_tuning_runs, self.serialization_format
        if number is not None and not (type(number) is int and number >= 0):
            raise invalid(
                f"max_tuning_runs is a number of children to keep, or None for all, not {number!r}."
            )
        if form not in FORMATS:
            raise invalid(f"serialization_format is one of {', '.join(FORMATS)}, not {form!r}.")


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every fit of scikit-learn's estimators: params, metrics on the training data, plots, the model.

    Args:
        disable: turn it off again; every method is what it was.
        disable_for_unsupported_versions: taken for MLflow's sake; the versions that we are for are those that work.
        keywords: those of `Options`, and max_tuning_runs (children of a search that are kept, None for all),
            log_post_training_metrics (score and sklearn.metrics after the fit), serialization_format, pos_label.

    Raises:
        StepwellException: NOT_IMPLEMENTED when scikit-learn is not installed; INVALID_PARAMETER_VALUE.
    """
    from stepwell.autologging.sklearn import after

    chosen = SklearnOptions.of(keywords)
    base = None if disable else _base()
    _patches.revert()
    after.leave_metrics(LIBRARY)
    options.forget(LIBRARY)
    if base is None:
        return
    options.choose(LIBRARY, chosen)
    _follow_later_classes(base)
    for kind in _below(base):
        _follow(kind)
    _keep_out_of_parallel_work()
    if chosen.log_post_training_metrics:
        after.follow_metrics(LIBRARY)


def _base() -> Any:
    return extras.library("sklearn.base", "Autologging of scikit-learn", "scikit-learn").BaseEstimator


def _below(kind: Any) -> set[Any]:
    found: set[Any] = {kind}
    for each in kind.__subclasses__():
        found |= _below(each)
    return found


def _follow(kind: type) -> None:
    """Follow the methods of a class, where they are defined: in itself, or in what it is made of."""
    from stepwell.autologging.sklearn import after, fitting

    for definer in kind.__mro__:
        if str(definer.__module__).partition(".")[0] != LIBRARY:
            continue
        for name in TRAINING:
            if name in vars(definer):
                _patches.around_method(definer, name, fitting.around_fit)
        for name in PREDICTION:
            if name in vars(definer):
                _patches.around_method(definer, name, after.around_prediction)
        if "score" in vars(definer) and definer not in after.usual_scorers():
            _patches.around_method(definer, "score", after.around_score)


def _follow_later_classes(base: type) -> None:
    """Follow classes of modules that are imported later."""
    from stepwell.autologging import calls

    before = base.__init_subclass__.__func__  # type: ignore[attr-defined]

    def init_subclass(cls: type[Any], /, **keywords: Any) -> None:
        before(cls, **keywords)
        try:
            _follow(cls)
        except Exception as failure:  # noqa: BLE001 - the class is made, whatever is odd about it
            calls.tell(LIBRARY, failure)

    _patches.replace(base, "__init_subclass__", classmethod(init_subclass))


def _keep_out_of_parallel_work() -> None:
    """Let nothing log that scikit-learn does in parts, in whatever thread; the whole does."""
    parallel = import_module("sklearn.utils.parallel")
    wrapper = getattr(parallel, "_FuncWrapper", None)
    if wrapper is not None:
        _patches.around_method(wrapper, "__call__", _unlogged)
    selection = import_module("sklearn.model_selection")
    for name in VALIDATION:
        _patches.around_function(selection, name, _unlogged)


def _unlogged(original: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with guard.inside():
        return original(instance, *args, **kwargs)
