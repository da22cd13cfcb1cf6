"""What is logged of one fit."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from stepwell import fluent
from stepwell.autologging import calls, guard, options
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.sklearn import after, datasets, pictures, searches, training_metrics
from stepwell.models.flavors import sklearn as flavor
from stepwell.models.signature import infer_signature

LIBRARY = "sklearn"
MODEL_NAME = "model"
BEST_MODEL_NAME = "best_estimator"
KEY_CHARS_MAX = 250
# Modules whose estimators prepare data: they show as params of the pipeline that they are in.
PREPARING = tuple(
    f"sklearn.{name}" for name in ("preprocessing", "impute", "feature_extraction", "feature_selection")
)


def around_fit(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Fit, and log it; what goes wrong with the latter is told, and changes nothing."""
    chosen = options.chosen(LIBRARY)
    if chosen is None or guard.is_inside() or _is_preparing(type(estimator)):
        return original(estimator, *args, **kwargs)
    with guard.inside():
        call = calls.begin(LIBRARY, chosen)
        if call is None:
            return original(estimator, *args, **kwargs)
        call.attempt(_log_before, call, estimator)
        try:
            result = original(estimator, *args, **kwargs)
        except BaseException:
            call.end("FAILED")
            raise
        call.attempt(_log_after, call, estimator, original, args, kwargs)
        call.end()
        return result


def _is_preparing(kind: type) -> bool:
    ours = next((each for each in kind.__mro__ if each.__module__.startswith("sklearn.")), kind)
    return ours.__module__.startswith(PREPARING) or ours.__name__ == "ColumnTransformer"


def params_of(estimator: Any) -> dict[str, str]:
    """Return the params of an estimator as text; of a search its own alone."""
    found = estimator.get_params(deep=not searches.is_search(estimator))
    return {str(key)[:KEY_CHARS_MAX]: str(value) for key, value in found.items()}


def tags_of(estimator: Any) -> dict[str, str]:
    """Return what a run says of its estimator."""
    kind = type(estimator)
    return {"estimator_name": kind.__name__, "estimator_class": f"{kind.__module__}.{kind.__name__}"}


def _log_before(call: LoggedCall, estimator: Any) -> None:
    fluent.set_tags(tags_of(estimator))
    fluent.log_params(params_of(estimator))


def _log_after(
    call: LoggedCall, estimator: Any, original: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    rows, labels, weights = _data(estimator, original, args, kwargs)
    if call.options.log_datasets:
        call.attempt(datasets.log_training, rows, labels)
    model_id = None
    if call.options.log_models:
        model_id = call.attempt(_log_model, call, estimator, rows, MODEL_NAME)
    if labels is not None:
        found = call.attempt(training_metrics.metrics_of, estimator, rows, labels, weights, call.options)
        if found:
            fluent.log_metrics(found, step=0, model_id=model_id)
    call.attempt(pictures.log, estimator, rows, labels, weights)
    if searches.is_search(estimator):
        call.attempt(searches.log, call, estimator)
        if call.options.log_models and hasattr(estimator, "best_estimator_"):
            call.attempt(_log_model, call, estimator.best_estimator_, rows, BEST_MODEL_NAME)
    after.remember_fit(estimator, call.run_id, model_id)


def _data(
    estimator: Any, original: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, Any, Any]:
    """Return what a fit was given: rows, labels, weights; None for what was not."""
    method = (
        original if hasattr(original, "__wrapped__") or inspect.isfunction(original) else type(estimator).fit
    )
    try:
        given = inspect.signature(method).bind(estimator, *args, **kwargs).arguments
    except TypeError:
        given = {}
    named = {**given, **given.get("kwargs", {}), **given.get("fit_params", {}), **given.get("params", {})}
    rows = named.get("X", args[0] if args else None)
    labels = next((named[name] for name in ("y", "Y") if named.get(name) is not None), None)
    if labels is None and len(args) > 1:
        labels = args[1]
    return rows, labels, named.get("sample_weight")


def _log_model(call: LoggedCall, estimator: Any, rows: Any, name: str) -> str | None:
    example = datasets.first_rows(rows)
    predict = next(
        (getattr(estimator, it) for it in ("predict", "transform") if hasattr(estimator, it)), None
    )
    keywords: dict[str, Any] = {}
    if example is not None and predict is not None and call.options.log_model_signatures:
        keywords["signature"] = call.attempt(lambda: infer_signature(example, predict(example)))
    elif not call.options.log_model_signatures:
        keywords["signature"] = False
    if example is not None and call.options.log_input_examples:
        keywords["input_example"] = example
    if name == MODEL_NAME:
        keywords["registered_model_name"] = call.options.registered_model_name
    chosen = getattr(call.options, "serialization_format", flavor.CLOUDPICKLE)
    return flavor.log_model(estimator, name=name, serialization_format=chosen, **keywords).model_id
