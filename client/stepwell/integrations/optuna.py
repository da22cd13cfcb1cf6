"""Optuna: `study.optimize(objective, callbacks=[StepwellCallback()])`, and pruning by what is logged.

The arguments are those of optuna_integration.MLflowCallback.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import stepwell
from stepwell import extras, settings
from stepwell.delivery import record

TAG_CHARS_MAX = 8_000


class StepwellCallback:
    """Logs each finished trial as a run: its values, params, state, times and distributions.

    Args:
        tracking_uri: the server; the usual one if not given.
        metric_name: of the value, or one name for each value; "value" (or "value_0", …) if not given.
        create_experiment: runs go to the experiment of the study's name; else to where new runs go.
        mlflow_kwargs: more arguments of start_run, such as nested=True.
        tag_study_user_attrs: user attributes of the study become tags.
        tag_trial_user_attrs: user attributes of the trial become tags.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        metric_name: str | Sequence[str] = "value",
        create_experiment: bool = True,
        mlflow_kwargs: dict[str, Any] | None = None,
        tag_study_user_attrs: bool = False,
        tag_trial_user_attrs: bool = True,
    ) -> None:
        self._tracking_uri = tracking_uri
        self._metric_name = metric_name
        self._create_experiment = create_experiment
        self._run_arguments = dict(mlflow_kwargs or {})
        self._tags_of = (tag_study_user_attrs, tag_trial_user_attrs)

    def __call__(self, study: Any, trial: Any) -> None:
        """Log a trial that is finished."""
        if self._tracking_uri:
            stepwell.set_tracking_uri(self._tracking_uri)
        arguments = {
            "run_name": str(trial.number),
            **self._run_arguments,
            "run_id": trial.system_attrs.get(RUN_ID_ATTRIBUTE),
        }
        with self._within(study), stepwell.start_run(**arguments) as run:
            stepwell.log_params(trial.params)
            values = trial.values or []
            names = self._names(len(values))
            points = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            stepwell.log_metrics(points)
            stepwell.set_tags(self._tags(study, trial))
            self._log_intermediate(run, trial)

    def track_in_run(self, objective: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Let an objective run inside of its trial's run: what it logs goes there."""

        @functools.wraps(objective)
        def call(trial: Any) -> Any:
            if self._tracking_uri:
                stepwell.set_tracking_uri(self._tracking_uri)
            arguments = {"run_name": str(trial.number), **self._run_arguments}
            with self._within(trial.study), stepwell.start_run(**arguments) as run:
                trial.storage.set_trial_system_attr(trial._trial_id, RUN_ID_ATTRIBUTE, run.info.run_id)
                return objective(trial)

        return call

    def _within(self, study: Any) -> AbstractContextManager[None]:
        """Return the block whose runs, and those started within them, go to the experiment of the study."""
        return settings.experiment_named(study.study_name if self._create_experiment else None)

    def _names(self, count: int) -> list[str]:
        if isinstance(self._metric_name, str):
            alone = count <= 1
            return [self._metric_name if alone else f"{self._metric_name}_{place}" for place in range(count)]
        names = list(self._metric_name)
        if len(names) != count:
            raise ValueError(f"metric_name has {len(names)} names, and the trial {count} values.")
        return names

    def _tags(self, study: Any, trial: Any) -> dict[str, str]:
        directions = [direction.name for direction in study.directions]
        tags: dict[str, Any] = {
            "number": trial.number,
            "datetime_start": trial.datetime_start,
            "datetime_complete": trial.datetime_complete,
            "state": trial.state.name,
            "direction": directions[0] if len(directions) == 1 else directions,
            **{f"{key}_distribution": value for key, value in trial.distributions.items()},
        }
        for wanted, of in zip(self._tags_of, (study, trial), strict=True):
            tags |= of.user_attrs if wanted else {}
        return {key: str(value)[:TAG_CHARS_MAX] for key, value in tags.items()}

    def _log_intermediate(self, run: Any, trial: Any) -> None:
        """Log what the trial has reported step by step, unless it was logged inside of it."""
        if RUN_ID_ATTRIBUTE in trial.system_attrs:
            return
        name = (
            f"intermediate_{self._names(1)[0]}"
            if isinstance(self._metric_name, str)
            else "intermediate_value"
        )
        for step, value in sorted(trial.intermediate_values.items()):
            record.log_metrics(run.writer, {name: value}, step)


# Which run belongs to a trial.
RUN_ID_ATTRIBUTE = "stepwell_run_id"


def report(trial: Any, key: str, value: float, step: int) -> None:
    """Log a point, report it to Optuna, and end the trial when its pruner says that it is hopeless.

    Raises:
        optuna.TrialPruned: it is.
    """
    stepwell.log_metric(key, value, step=step)
    trial.report(value, step)
    if trial.should_prune():
        raise extras.library("optuna", "report", "optuna").TrialPruned(f"{key} is {value} at step {step}")


def run_of(trial: Any) -> str | None:
    """Return the id of the run that a trial of `track_in_run` was logged to; None if there is none."""
    found = trial.system_attrs.get(RUN_ID_ATTRIBUTE)
    return str(found) if found else None


__all__ = ["StepwellCallback", "report", "run_of"]
