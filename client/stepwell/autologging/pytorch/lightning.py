"""What is logged of Lightning's Trainer: of `fit`, and of a `test` that follows."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stepwell.autologging import calls, guard, options
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.checkpoints import Checkpoints
from stepwell.autologging.patches import Patches
from stepwell.autologging.pytorch.callback import callback_for, numbers
from stepwell.autologging.pytorch.first_batch import FirstBatch
from stepwell.autologging.remembered import Remembered
from stepwell.models.flavors.pytorch import PyTorch
from stepwell.models.signature import infer_signature

LIBRARY = "pytorch"
MODE_TAG = "Mode"
SUMMARY_FILE = "model_summary.txt"
RESTORED_FOLDER = "restored_model_checkpoint"
STOPPING_PARAMS = ("monitor", "mode", "patience", "min_delta", "stopped_epoch")

# The run that a trainer's last fit was logged to, and the client of its server.
_runs = Remembered()


def follow(patches: Patches, module: str) -> None:
    """Follow the Trainer of one of the packages."""
    kind = sys.modules[module].Trainer
    patches.around_method(kind, "fit", partial(_around_fit, module))
    patches.around_method(kind, "test", _around_test)


def _around_fit(
    module: str, original: Any, trainer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    plain = partial(original, trainer, *args, **kwargs)
    if not getattr(trainer, "is_global_zero", True):
        return plain()  # another process of the job logs
    fit = _Fit(module, trainer, args[0] if args else kwargs.get("model"), plain)
    return calls.carried_out(LIBRARY, plain, fit.before, fit.ended)


def _around_test(original: Any, trainer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = original(trainer, *args, **kwargs)
    found, chosen = _runs.get(trainer), options.chosen(LIBRARY)
    if found is not None and chosen is not None and not guard.is_inside():
        client, run_id = found
        try:
            client.set_tag(run_id, MODE_TAG, "testing")
            for key, value in numbers(trainer.callback_metrics).items():
                client.log_metric(run_id, key, value, step=0)
        except Exception as failure:  # noqa: BLE001 - the test has its result
            if not chosen.silent:
                calls.tell(LIBRARY, failure)
    return result


class _Fit:
    """One call of `fit`."""

    def __init__(self, module: str, trainer: Any, model: Any, plain: Callable[[], Any]) -> None:
        self._module, self._trainer, self._model, self._plain = module, trainer, model, plain
        self._callback: Any = None
        self._first = FirstBatch()

    def before(self, call: LoggedCall) -> Callable[[], Any]:
        """Log what is known of the training; returns the fit with our callback, which is gone afterwards."""
        _runs[self._trainer] = call.client, call.run_id
        stopping = self._early_stopping()
        if stopping is not None:
            found = {name: getattr(stopping, name) for name in STOPPING_PARAMS if hasattr(stopping, name)}
            call.attempt(call.log_params, found)
        wanted: Any = call.options
        kept = Checkpoints(call, wanted, ".pth") if wanted.checkpoint else None
        self._callback = callback_for(sys.modules[self._module], call, kept)
        if call.options.log_models and call.options.log_model_signatures:
            call.attempt(self._first.follow, self._model)
        return self._fit

    def _fit(self) -> Any:
        self._trainer.callbacks.append(self._callback)
        try:
            return self._plain()
        finally:
            self._trainer.callbacks[:] = [it for it in self._trainer.callbacks if it is not self._callback]
            self._callback.leave()
            self._first.leave()

    def ended(self, call: LoggedCall, _: Any) -> None:
        """Log the model, its summary, and where training stopped early."""
        if getattr(self._trainer, "fast_dev_run", False) and self._model is None:
            return
        model_id = None
        if call.options.log_models:
            model_id = call.attempt(self._log_model, call)
        call.attempt(self._log_summary, call)
        metrics = numbers(self._trainer.callback_metrics)
        call.attempt(call.note_model_metrics, model_id, metrics, int(self._trainer.current_epoch))
        stopping = self._early_stopping()
        if stopping is not None and stopping.stopped_epoch:
            call.attempt(_log_stop, call, stopping)
        best = str(getattr(self._trainer.checkpoint_callback, "best_model_path", "") or "")
        if stopping is not None and call.options.log_models and best:
            call.attempt(_log_restored, call, Path(best))

    def _early_stopping(self) -> Any:
        for callback in self._trainer.callbacks:
            if any(kind.__name__ == "EarlyStopping" for kind in type(callback).__mro__):
                return callback
        return None

    def _log_model(self, call: LoggedCall) -> str | None:
        given: dict[str, Any] = {}
        found = self._first.found
        if found:
            given["signature"] = call.attempt(infer_signature, *found)
        return call.log_model(
            PyTorch(self._trainer.lightning_module or self._model),
            example=found[0] if found and call.options.log_input_examples else None,
            **given,
        )

    def _log_summary(self, call: LoggedCall) -> None:
        from importlib import import_module

        summaries = import_module(f"{self._module}.utilities.model_summary")
        text = str(summaries.ModelSummary(self._model, max_depth=-1))
        call.later(call.log_bytes, text.encode(), SUMMARY_FILE)


def _log_stop(call: LoggedCall, stopping: Any) -> None:
    found = {
        "stopped_epoch": stopping.stopped_epoch,
        "restored_epoch": stopping.stopped_epoch - max(1, stopping.patience),
        "best_score": getattr(stopping, "best_score", None),
        "wait_count": getattr(stopping, "wait_count", None),
    }
    call.log_metrics(numbers({key: value for key, value in found.items() if value is not None}), step=0)


def _log_restored(call: LoggedCall, file: Path) -> None:
    """Log the best of the checkpoints that Lightning has kept; a copy, because it may write over them."""
    folder = Path(tempfile.mkdtemp(prefix="stepwell-"))
    try:
        shutil.copyfile(file, folder / file.name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    call.later(_send_folder, call, folder, RESTORED_FOLDER)


def _send_folder(call: LoggedCall, folder: Path, place: str) -> None:
    try:
        call.client.log_artifacts(call.run_id, folder, place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
