"""What is logged of one fit."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from stepwell.autologging import calls, chance
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.sklearn import (
    after,
    datasets,
    pictures,
    predictions,
    searches,
    training_metrics,
    twins,
)
from stepwell.autologging.sklearn.predictions import Predictions
from stepwell.models.flavors import sklearn as flavor

LIBRARY = "sklearn"
BEST_MODEL_NAME = "best_estimator"
# Modules whose estimators prepare data: they show as params of the pipeline that they are in.
PREPARING = tuple(
    f"sklearn.{name}" for name in ("preprocessing", "impute", "feature_extraction", "feature_selection")
)


def around_fit(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Fit, and log it; what goes wrong with the latter is told, and changes nothing."""
    plain = partial(original, estimator, *args, **kwargs)
    if _is_preparing(type(estimator)):
        return plain()
    return calls.carried_out(
        LIBRARY,
        plain,
        lambda call: _log_before(call, estimator),
        lambda call, _: _log_after(call, estimator, original, args, kwargs),
        may_draw=False,
    )


def _is_preparing(kind: type) -> bool:
    ours = next((each for each in kind.__mro__ if str(each.__module__).startswith("sklearn.")), kind)
    return str(ours.__module__).startswith(PREPARING) or ours.__name__ == "ColumnTransformer"


def tags_of(estimator: Any) -> dict[str, str]:
    """Return what a run says of its estimator."""
    kind = type(estimator)
    return {"estimator_name": kind.__name__, "estimator_class": f"{kind.__module__}.{kind.__name__}"}


def _log_before(call: LoggedCall, estimator: Any) -> None:
    call.set_tags(tags_of(estimator))
    # Of a search its own params alone: those of what it searches for are the candidates'.
    call.log_params(estimator.get_params(deep=not searches.is_search(estimator)))


def _log_after(
    call: LoggedCall, estimator: Any, original: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Take what is needed of a fitted estimator and its data, before anybody changes them; log it later.

    Small ones are copied, and asked later what they predict. Only who asks others may draw random numbers.
    """
    from sklearn import get_config

    rows, labels, weights = given_data(estimator, original, args, kwargs)
    if isinstance(rows, Iterator):  # it was read to its end
        rows = labels = None
    own = call.attempt(datasets.copied, rows)
    if call.options.log_datasets:
        call.attempt(datasets.log_used, call, rows, labels, own=own)
    model_id = None
    if call.options.log_models:
        model_id = call.attempt(log_model, call, estimator, rows)
    twin = None if own is None else call.attempt(twins.twin_of, estimator)
    if labels is not None and own is not None and twin is not None:
        copies = call.attempt(lambda: [predictions.copied(each) for each in (labels, weights)])
        given = twin, own.rows, copies, get_config(), model_id
        call.later(_ask_and_log, call, *given, size_bytes=own.size_bytes)
    elif labels is not None:
        with chance.untouched():
            taken = call.attempt(Predictions.of, estimator, rows, labels, weights)
        size_bytes = 0 if taken is None else taken.size_bytes
        call.later(_log_predictions, call, taken, model_id, size_bytes=size_bytes)
    shown = call.attempt(pictures.as_it_is, estimator) if twin is None else twin
    call.later(pictures.log_diagram, call, shown)
    if searches.is_search(estimator):
        call.attempt(searches.log, call, estimator)
        if call.options.log_models and hasattr(estimator, "best_estimator_"):
            call.attempt(log_model, call, estimator.best_estimator_, rows, BEST_MODEL_NAME)
    after.remember_fit(estimator, call, model_id)


def _ask_and_log(
    call: LoggedCall, twin: Any, rows: Any, copies: Any, config: Mapping[str, Any], model_id: str | None
) -> None:
    """Ask an estimator as the thread that fitted it would have done."""
    from sklearn import config_context

    if copies is not None:
        with config_context(**config):
            _log_predictions(call, Predictions.of(twin, rows, *copies), model_id)


def _log_predictions(call: LoggedCall, taken: Predictions | None, model_id: str | None) -> None:
    if taken is None:
        return
    found = call.attempt(training_metrics.metrics_of, taken, getattr(call.options, "pos_label", None))
    if found:
        call.log_metrics(found, step=0, model_id=model_id)
    pictures.log_plots(call, taken)


def given_data(
    estimator: Any, original: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, Any, Any]:
    """Return what a fit was given: rows, labels, weights; None for what was not."""
    method = (
        original if hasattr(original, "__wrapped__") or inspect.isfunction(original) else type(estimator).fit
    )
    try:
        given = _signature(method).bind(estimator, *args, **kwargs).arguments
    except TypeError:
        given = {}
    named = {**given, **given.get("kwargs", {}), **given.get("fit_params", {}), **given.get("params", {})}
    rows = named.get("X", args[0] if args else None)
    labels = next((named[name] for name in ("y", "Y") if named.get(name) is not None), None)
    if labels is None and len(args) > 1:
        labels = args[1]
    return rows, labels, named.get("sample_weight")


@lru_cache(256)
def _signature(method: Any) -> inspect.Signature:
    return inspect.signature(method)


@chance.untouched()
def log_model(call: LoggedCall, estimator: Any, rows: Any, name: str = calls.MODEL_NAME) -> str | None:
    """Log an estimator, with the signature of the first rows."""
    chosen = getattr(call.options, "serialization_format", flavor.CLOUDPICKLE)
    predict = next(
        (getattr(estimator, it) for it in ("predict", "transform") if hasattr(estimator, it)), None
    )
    made = flavor.Sklearn(estimator, chosen)
    return call.log_model(made, name=name, example=datasets.first_rows(rows), predict=predict)
