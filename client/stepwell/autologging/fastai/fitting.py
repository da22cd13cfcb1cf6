"""What is logged of a Learner's training."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stepwell.autologging import calls, chance, pictures
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.patches import Patches
from stepwell.models.flavors.fastai import FastAI

LIBRARY = "fastai"
# What the optimizer says better is not among those of the call.
NO_PARAMS = {"self", "cbs", "kwargs", "lr", "wd"}
SUMMARY_FILE = "module_summary.txt"
# Of the optimizer, each a list with one value for a group of parameters.
HYPERPARAMETERS = ("lr", "mom", "sqr_mom", "wd", "eps")
# Behind fastai's Recorder, which has 50, and gathers what we log.
ORDER = 70
SCHEDULE_POINTS = 200

_patches = Patches()


def follow() -> None:
    """Follow a Learner's methods, those that are there by now."""
    from fastai.learner import Learner

    for name in ("fit", "fine_tune"):
        if name in vars(Learner):
            _patches.around_method(Learner, name, partial(_around, name))


def leave() -> None:
    """Do so no more."""
    _patches.revert()


def _around(name: str, original: Any, learner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    plain = partial(original, learner, *args, **kwargs)

    def before(call: LoggedCall) -> Callable[[], Any]:
        bound = inspect.signature(original).bind(learner, *args, **kwargs)
        bound.apply_defaults()
        given = {key: it for key, it in bound.arguments.items() if key not in NO_PARAMS}
        call.attempt(call.log_params, given)
        ours = _callback(call)

        def fit() -> Any:
            learner.add_cb(ours)
            try:
                return plain()
            finally:
                learner.remove_cb(ours)

        return fit

    def ended(call: LoggedCall, _: Any) -> None:
        if call.options.log_models:
            call.attempt(lambda: call.log_model(FastAI(learner)))

    return calls.carried_out(LIBRARY, plain, before, ended)


def _callback(call: LoggedCall) -> Any:
    from fastai.callback.core import Callback

    class Teller(Callback):  # type: ignore[misc]
        """Tells of the training; it goes with it."""

        order = ORDER
        run_valid = False
        has_told = False

        def before_fit(self) -> None:
            # Of several fits in a call, as fine_tune makes them, the first one says what is written once.
            if not self.has_told:
                self.has_told = True
                call.attempt(_log_start, call, self.learn)
                call.attempt(_log_schedules, call, self.learn)

        def after_epoch(self) -> None:
            call.attempt(_log_epoch, call, self.learn)

    return Teller()


def _log_start(call: LoggedCall, learner: Any) -> None:
    """Log what is trained with."""
    optimizer = learner.opt
    function = learner.opt_func
    layers = [it for it in learner.model.modules() if not list(it.children())]
    rows = _first_batch(learner.dls.train)[0]
    call.log_params(
        {
            "opt_func": getattr(function, "__name__", None) or getattr(function, "func", function),
            "num_layers": len(layers),
            "input_size": list(rows.shape),
            **{
                key: [_plain(group[key]) for group in optimizer.hypers]
                for key in HYPERPARAMETERS
                if all(key in group for group in optimizer.hypers)
            },
        }
    )
    call.later(call.log_bytes, str(learner.model).encode(), SUMMARY_FILE)


def _plain(value: Any) -> Any:
    """Return a number as one of Python's: those of numpy, which rates by layer are, write their type as well."""
    return value.item() if hasattr(value, "item") else value


def _first_batch(loader: Any) -> Any:
    """Return a batch; what comes in the training, and in which order, is what would have come."""
    generator = loader.rng
    state = generator.getstate()
    try:
        with chance.untouched():
            return loader.one_batch()
    finally:
        loader.rng = generator
        generator.setstate(state)


def _log_schedules(call: LoggedCall, learner: Any) -> None:
    """Log, of params that change within a fit, where they begin and end, and the way between."""
    for callback in learner.cbs:
        schedules: Mapping[str, Any] = getattr(callback, "scheds", None) or {}
        for name, schedule in schedules.items():
            call.attempt(_log_schedule, call, name, schedule)


def _log_schedule(call: LoggedCall, name: str, schedule: Callable[[float], Any]) -> None:
    import numpy as np

    places = np.linspace(0, 1, SCHEDULE_POINTS)
    # One for each group of parameters, the last of which is the one that is nearest to the output.
    values = np.array([np.atleast_1d(np.asarray(schedule(it), dtype=float))[-1] for it in places])
    found = {"init": values[0], "min": values.min(), "max": values.max(), "final": values[-1]}
    call.log_params({f"{name}_{key}": float(value) for key, value in found.items()})
    if pictures.can_be_drawn():
        call.later(_draw_schedule, call, name, places, values)


def _draw_schedule(call: LoggedCall, name: str, places: Any, values: Any) -> None:
    def draw(axes: Any) -> None:
        axes.plot(places, values)
        axes.set(xlabel="share of the training", ylabel=name)

    call.log_bytes(pictures.drawn(draw), f"{name}.png")


def _log_epoch(call: LoggedCall, learner: Any) -> None:
    recorder = learner.recorder
    found = {
        name: float(value)
        for name, value in zip(recorder.metric_names, recorder.log, strict=False)
        if value is not None and not isinstance(value, str)
    }
    call.log_metrics(found, step=int(learner.epoch))
