"""Ray: `RunConfig(callbacks=[StepwellLoggerCallback()])` for Tune, and `setup_stepwell()` inside of workers, trials."""

from pathlib import Path
from types import ModuleType
from typing import Any

import stepwell
from stepwell import extras, settings, values
from stepwell.delivery import record
from stepwell.delivery.writer import RunWriter, writer_for
from stepwell.entities import RunStatus
from stepwell.integrations.joining import flat, join, numbers
from stepwell.runs import new

_tune = extras.library("ray.tune", "StepwellLoggerCallback", "ray[tune]")
_logger = extras.library("ray.tune.logger", "StepwellLoggerCallback", "ray[tune]")

STEP_KEYS = ("timesteps_total", "training_iteration")


class StepwellLoggerCallback(_logger.LoggerCallback):  # type: ignore[name-defined]
    """Logs each trial of Tune as a run, from the driver: its config, its results, how it ended.

    Args:
        tracking_uri: the server; the usual one if not given.
        experiment_name: where runs go; if not given, where new runs go.
        tags: of all runs.
        save_artifact: the folder of the trial becomes artifacts at its end.
        log_params_on_trial_end: and not at its start.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        experiment_name: str | None = None,
        tags: dict[str, Any] | None = None,
        save_artifact: bool = False,
        log_params_on_trial_end: bool = False,
    ) -> None:
        self._tracking_uri = tracking_uri
        self._experiment_name = experiment_name and values.check_experiment_name(experiment_name)
        self._tags = dict(tags or {})
        self._save_artifact = save_artifact
        self._params_at_end = log_params_on_trial_end
        self._runs: dict[Any, RunWriter] = {}

    def setup(self, *_: Any, **__: Any) -> None:
        """Choose the server."""
        if self._tracking_uri:
            stepwell.set_tracking_uri(self._tracking_uri)

    def log_trial_start(self, trial: Any) -> None:
        """Start the run of a trial; one that was paused goes on with its own."""
        if trial not in self._runs:
            tags = {**self._tags, "trial_name": str(trial)}
            with settings.experiment_named(self._experiment_name):
                spec = new.spec(new.new_run_id(), None, str(trial), values.to_run_tags(tags))
            self._runs[trial] = writer_for(stepwell.get_tracking_uri(), spec.run_id, spec)
            self._runs[trial].log()
            if not self._params_at_end:
                self._log_params(trial)

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        """Log what a trial has reported."""
        step = next((result[key] for key in STEP_KEYS if result.get(key)), iteration)
        record.log_metrics(self._runs[trial], numbers(_flat(result)), int(step))

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """End the run of a trial."""
        run = self._runs[trial]
        if self._params_at_end:
            self._log_params(trial)
        folder = getattr(trial, "local_path", None)
        if self._save_artifact and folder and Path(folder).is_dir():
            stepwell.log_artifacts(folder, run_id=run.run_id)
        run.log_status(RunStatus.from_string("FAILED" if failed else "FINISHED"), record.now_ms())
        run.rest()

    def _log_params(self, trial: Any) -> None:
        record.log_params(self._runs[trial], {key: str(it) for key, it in _flat(trial.config).items()})


def setup_stepwell(
    config: dict[str, Any] | None = None,
    *,
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
    run_name: str | None = None,
    tags: dict[str, Any] | None = None,
    rank_zero_only: bool = True,
) -> ModuleType | Any:
    """Start a run inside of a trial of Tune or a worker of Train, log the config, and return the module stepwell.

    In other workers than that of rank 0 it starts none, and returns something whose functions do nothing; with
    `rank_zero_only` False, each worker has a run of its own, tagged with its rank.
    """
    name, rank = _place()
    if rank and rank_zero_only:
        return _Nothing()
    own_tags = {**(tags or {}), **({"rank": rank} if rank is not None and not rank_zero_only else {})}
    # Of the process, which is the worker's or the trial's alone.
    if tracking_uri:
        stepwell.set_tracking_uri(tracking_uri)
    if experiment_name:
        stepwell.set_experiment(experiment_name)
    join(
        run_name=run_name or name,
        tags=own_tags,
        nested=stepwell.active_run() is not None,
    )
    if config:
        stepwell.log_params({key: str(value) for key, value in _flat(config).items()})
    return stepwell


class _Nothing:
    """Stands for the module stepwell where nothing is to be logged."""

    def __getattr__(self, name: str) -> "_Nothing":
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Nothing":
        return self

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _place() -> tuple[str | None, int | None]:
    """Return the name of the trial, and the rank of the worker, where there is one or the other."""
    try:
        context = _tune.get_context()
        if context.get_trial_id():
            return context.get_trial_name(), None
    except (AttributeError, RuntimeError):
        pass
    try:
        train = extras.library("ray.train", "setup_stepwell", "ray[train]")
        return None, int(train.get_context().get_world_rank() or 0)
    except (AttributeError, RuntimeError):
        return None, None


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    return {key.strip("/"): value for key, value in flat(given).items() if key.strip("/")}
