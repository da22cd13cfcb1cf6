"""What is given to a SummaryWriter, of PyTorch or tensorboardX, is logged as well: for loops of one's own."""

import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stepwell import beside
from stepwell.autologging import calls, guard, options
from stepwell.autologging.calls import AUTOLOGGING_TAG
from stepwell.autologging.patches import Patches
from stepwell.autologging.remembered import Remembered
from stepwell.client import StepwellClient
from stepwell.delivery import record
from stepwell.runs import active
from stepwell.runs.active import ActiveRun

LIBRARY = "pytorch"
# What the name of a metric, or of a series of images, may not have.
NOT_IN_NAMES = re.compile(r"[^\w\-./ ]", re.ASCII)

# Runs that were started for a writer, and end with it.
_own_runs = Remembered()


def follow(patches: Patches, module: str) -> None:
    """Follow the writers of a module."""
    kind = sys.modules[module].SummaryWriter
    for name, log in _LOGGED.items():
        if name in vars(kind):
            patches.around_method(kind, name, partial(_around, log))
    patches.around_method(kind, "close", _around_close)


def _around(
    log: Callable[..., None], original: Any, writer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    chosen = options.chosen(LIBRARY)
    if chosen is None or guard.is_inside():
        return original(writer, *args, **kwargs)
    with guard.inside():
        result = original(writer, *args, **kwargs)
        try:
            if not (chosen.exclusive and active.active_run() is not None):
                log(writer, *args, **kwargs)
        except Exception as failure:  # noqa: BLE001 - the writer has it
            if not chosen.silent:
                calls.tell(LIBRARY, failure)
    return result


def _around_close(original: Any, writer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = original(writer, *args, **kwargs)
    run = _own_runs.get(writer)
    if run is not None and not run.ended and active.active_run() is run:
        try:
            active.end_run()
        except Exception as failure:  # noqa: BLE001 - the writer is closed
            calls.tell(LIBRARY, failure)
    return result


def _run_of(writer: Any) -> ActiveRun:
    """Return the active run, or one that is started for a writer and ends when it is closed."""
    run = active.active_run()
    if run is None:
        chosen = options.chosen(LIBRARY)
        run = active.start_run(tags={AUTOLOGGING_TAG: LIBRARY, **(getattr(chosen, "extra_tags", None) or {})})
        _own_runs[writer] = run
    return run


def _is_due(step: Any) -> bool:
    every = getattr(options.chosen(LIBRARY), "log_every_n_step", None)
    return every is None or int(step or 0) % every == 0


def _name(tag: object) -> str:
    return NOT_IN_NAMES.sub("_", str(tag))


def _scalar(writer: Any, tag: Any, scalar_value: Any, global_step: Any = None, *_: Any, **__: Any) -> None:
    if _is_due(global_step):
        record.log_metrics(_run_of(writer).writer, {_name(tag): scalar_value}, int(global_step or 0))


def _scalars(
    writer: Any,
    main_tag: Any,
    tag_scalar_dict: Mapping[str, Any],
    global_step: Any = None,
    *_: Any,
    **__: Any,
) -> None:
    if _is_due(global_step):
        found = {_name(f"{main_tag}/{key}"): value for key, value in tag_scalar_dict.items()}
        record.log_metrics(_run_of(writer).writer, found, int(global_step or 0))


def _hparams(
    writer: Any, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any], *_: Any, **__: Any
) -> None:
    run_writer = _run_of(writer).writer
    record.log_params(run_writer, {_name(key): value for key, value in hparam_dict.items()})
    record.log_metrics(run_writer, {_name(key): value for key, value in metric_dict.items()}, 0)


def _histogram(writer: Any, tag: Any, values: Any, global_step: Any = None, *_: Any, **__: Any) -> None:
    if _is_due(global_step):
        run = _run_of(writer)
        StepwellClient(run.writer.uri).log_histogram(
            run.info.run_id, _name(tag), values, int(global_step or 0)
        )


def _image(
    writer: Any,
    tag: Any,
    img_tensor: Any,
    global_step: Any = None,
    walltime: Any = None,
    dataformats: str = "CHW",
) -> None:
    if not _is_due(global_step):
        return
    import numpy as np

    run = _run_of(writer)
    image = np.array(img_tensor.detach().cpu() if hasattr(img_tensor, "detach") else img_tensor)
    order = [dataformats.upper().index(axis) for axis in "HWC" if axis in dataformats.upper()]
    if len(order) != image.ndim:
        raise ValueError(f"an image of shape {image.shape} is no {dataformats}")
    client, laid_out = StepwellClient(run.writer.uri), image.transpose(order)
    beside.leave(
        run.info.run_id,
        lambda: client.log_image(run.info.run_id, laid_out, key=_name(tag), step=int(global_step or 0)),
        int(image.nbytes),
    )


_LOGGED: dict[str, Callable[..., None]] = {
    "add_scalar": _scalar,
    "add_scalars": _scalars,
    "add_hparams": _hparams,
    "add_histogram": _histogram,
    "add_image": _image,
}
