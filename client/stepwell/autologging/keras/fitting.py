"""What is logged of a `fit` of Keras, for Keras itself or for TensorFlow; of both, the latter logs, as in MLflow."""

import inspect
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stepwell.autologging import calls, options
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.checkpoints import Checkpoints
from stepwell.autologging.keras import streams
from stepwell.autologging.keras.callbacks import callbacks_for, early_stopping_of
from stepwell.autologging.patches import Patches
from stepwell.autologging.sklearn import datasets
from stepwell.models.flavor import Flavor

NO_PARAMS = {"self", "x", "y", "callbacks", "validation_data", "verbose"}
TENSORBOARD_FOLDER = "tensorboard_logs"
STOPPING_PARAMS = ("monitor", "min_delta", "patience", "baseline", "restore_best_weights")


@dataclass(frozen=True)
class Follower:
    """Whose autologging it is, what its params of the optimizer begin with, and what makes a model of its flavor."""

    library: str
    prefix: str
    flavor: Callable[[Any, Any], Flavor]
    is_tensorflow: bool = False


_patches = Patches()
_followers: dict[str, Follower] = {}


def follow(follower: Follower) -> None:
    """Log fits for a library."""
    import keras

    _followers[follower.library] = follower
    kind = next(each for each in keras.Model.__mro__ if inspect.isfunction(vars(each).get("fit")))
    _patches.around_method(kind, "fit", _around_fit)


def leave(library: str) -> None:
    """Do so no more."""
    _followers.pop(library, None)
    if not _followers:
        _patches.revert()


def _around_fit(original: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    plain = partial(original, model, *args, **kwargs)
    found = sorted(_followers.values(), key=lambda it: not it.is_tensorflow)
    follower = next((it for it in found if options.chosen(it.library) is not None), None)
    if follower is None:
        return plain()
    fit = _Fit(follower, original, model, args, kwargs)
    return calls.carried_out(follower.library, plain, fit.before, fit.ended)


class _Fit:
    """One call of `fit`."""

    def __init__(
        self, follower: Follower, original: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._follower, self._original, self._model = follower, original, model
        self._args, self._kwargs = args, kwargs
        self._given: dict[str, Any] = {}
        self._stopping: Any = None
        self._boards: tuple[Path, bool] | None = None

    def before(self, call: LoggedCall) -> Callable[[], Any]:
        """Log params and data; returns the fit with our callbacks, behind those that are there."""
        bound = inspect.signature(self._original).bind(self._model, *self._args, **self._kwargs)
        bound.apply_defaults()
        self._given = dict(bound.arguments)
        params = {key: it for key, it in self._given.items() if key not in NO_PARAMS}
        if (size := _batch_size(self._given.get("x"))) is not None:
            params["batch_size"] = size
        call.attempt(call.log_params, params)
        own = self._given.get("callbacks")
        present = list(getattr(own, "callbacks", own) or ())
        self._stopping = early_stopping_of(present)
        if self._stopping is not None:
            found = {key: getattr(self._stopping, key, None) for key in STOPPING_PARAMS}
            call.attempt(call.log_params, found)
        if call.options.log_datasets:
            call.attempt(self._log_data, call)
        ours = [
            *callbacks_for(call, self._follower.prefix, self._checkpoints(call)),
            *self._tensorboard(call, present),
        ]
        if own is not None and not isinstance(own, (list, tuple)):  # a CallbackList, which is used as it is
            return partial(self._fit_with, own, ours)
        bound.arguments["callbacks"] = [*present, *ours]
        return partial(self._original, *bound.args, **bound.kwargs)

    def _fit_with(self, own: Any, ours: list[Any]) -> Any:
        """Fit with callbacks of ours in a list that is the user's, who may use it again."""
        for each in ours:
            each.set_model(self._model)
            own.callbacks.append(each)
        try:
            return self._original(self._model, *self._args, **self._kwargs)
        finally:
            own.callbacks[:] = [it for it in own.callbacks if not any(it is each for each in ours)]

    def ended(self, call: LoggedCall, history: Any) -> None:
        """Log the model, and where training stopped early."""
        model_id = None
        if call.options.log_models:
            model_id = call.attempt(self._log_model, call)
        newest = {key: values[-1] for key, values in getattr(history, "history", {}).items() if values}
        if newest and history.epoch:
            call.attempt(call.note_model_metrics, model_id, newest, history.epoch[-1])
        if self._stopping is not None:
            call.attempt(self._log_stop, call, history)
        if self._boards is not None:
            call.later(_send_boards, call, *self._boards)

    def _checkpoints(self, call: LoggedCall) -> Checkpoints | None:
        wanted: Any = call.options
        if not self._follower.is_tensorflow or not wanted.checkpoint:
            return None
        return Checkpoints(call, wanted, ".h5")

    def _tensorboard(self, call: LoggedCall, present: list[Any]) -> list[Any]:
        """Return a callback that writes TensorBoard's files, where it can be had and none is there."""
        if not self._follower.is_tensorflow or find_spec("tensorboard") is None:
            return []
        import keras

        kind = getattr(keras.callbacks, "TensorBoard", None)
        theirs = next((it for it in present if kind is not None and isinstance(it, kind)), None)
        if theirs is not None:
            self._boards = Path(theirs.log_dir), False
            return []
        folder = tempfile.mkdtemp(prefix="stepwell-")
        made = call.attempt(kind, log_dir=folder) if kind is not None else None
        if made is None:
            shutil.rmtree(folder, ignore_errors=True)
            return []
        self._boards = Path(folder), True
        return [made]

    def _log_data(self, call: LoggedCall) -> None:
        rows, validation = self._given.get("x"), self._given.get("validation_data")
        if streams.is_stream(rows):
            streams.log_used(call, rows)
        else:
            datasets.log_used(call, _as_array(rows), _as_array(self._given.get("y")))
        if streams.is_stream(validation):
            streams.log_used(call, validation, "eval")
        elif isinstance(validation, (tuple, list)) and len(validation) > 1:
            datasets.log_used(call, _as_array(validation[0]), _as_array(validation[1]), "eval")

    def _log_model(self, call: LoggedCall) -> str | None:
        signature = call.attempt(_signature, self._model) if call.options.log_model_signatures else None
        rows = (
            datasets.first_rows(_as_array(self._given.get("x"))) if call.options.log_input_examples else None
        )
        given = {} if signature is None else {"signature": signature}
        return call.log_model(self._follower.flavor(self._model, signature), example=rows, **given)

    def _log_stop(self, call: LoggedCall, history: Any) -> None:
        stopped = int(getattr(self._stopping, "stopped_epoch", 0) or 0)
        if not stopped:
            return
        call.log_metrics({"stopped_epoch": stopped})
        if not getattr(self._stopping, "restore_best_weights", False):
            return
        restored = stopped - max(1, int(self._stopping.patience))
        call.log_metrics({"restored_epoch": restored})
        if self._follower.is_tensorflow and restored in history.epoch:
            place = history.epoch.index(restored)
            best = {key: values[place] for key, values in history.history.items() if len(values) > place}
            call.log_metrics(best, step=stopped + 1)


def _batch_size(data: Any) -> int | None:
    """Return the rows of a batch of data that comes in batches; None for arrays."""
    for name in ("batch_size", "_batch_size"):
        size: Any = getattr(data, name, None)
        size = size.numpy() if hasattr(size, "numpy") else size
        if size is not None and not callable(size):
            return int(size)
    return None


def _as_array(data: Any) -> Any:
    """Return an array of a tensor; other data as it is."""
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    return data.numpy() if hasattr(data, "numpy") and hasattr(data, "shape") else data


def _signature(model: Any) -> Any:
    """Return what a model says of its inputs and outputs by itself; None where it does not."""
    from stepwell.models.signature import ModelSignature
    from stepwell.types.columns import TensorSpec
    from stepwell.types.schema import Schema

    def schema(tensors: Any) -> Any:
        given: Mapping[str, Any] = tensors if isinstance(tensors, dict) else {}
        listed = list(given.values()) or (list(tensors) if isinstance(tensors, (list, tuple)) else [tensors])
        names: list[str | None] = [it.name if len(listed) > 1 else None for it in listed]
        names = list(given) or names
        return Schema(
            [
                TensorSpec(str(it.dtype), [-1 if side is None else side for side in it.shape], name)
                for it, name in zip(listed, names, strict=True)
            ]
        )

    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        return None
    return ModelSignature(inputs=schema(model.inputs), outputs=schema(model.outputs))


def _send_boards(call: LoggedCall, folder: Path, is_ours: bool) -> None:
    try:
        if folder.is_dir() and any(folder.iterdir()):
            call.client.log_artifacts(call.run_id, folder, TENSORBOARD_FOLDER)
    finally:
        if is_ours:
            shutil.rmtree(folder, ignore_errors=True)
