"""Hugging Face transformers: `Trainer(callbacks=[StepwellCallback()])`.

Importing this module also lets `TrainingArguments(report_to="stepwell")` find it.
"""

from pathlib import Path
from typing import Any

import stepwell
from stepwell import extras
from stepwell.integrations.joining import Joined, flat, join, numbers

_callbacks = extras.library("transformers.trainer_callback", "StepwellCallback", "transformers")

NAME = "stepwell"


class StepwellCallback(_callbacks.TrainerCallback):  # type: ignore[name-defined]
    """Logs the arguments, the model's configuration and all logs of a Trainer, from the process of rank 0.

    The run is the active one, if there is one; else it is started with the training, and ends with it.

    Args:
        experiment_name: where a new run goes; if not given, where new runs go.
        run_name: of a new run; the argument `run_name` of the Trainer if not given.
        nested: start a run inside of the active one.
        tags: of the run.
        log_checkpoints: what the Trainer saves becomes artifacts, in checkpoints/.
        run_id: an old run to go on with.
    """

    def __init__(
        self,
        experiment_name: str | None = None,
        run_name: str | None = None,
        *,
        nested: bool = False,
        tags: dict[str, Any] | None = None,
        log_checkpoints: bool = False,
        run_id: str | None = None,
    ) -> None:
        self._begin: dict[str, Any] = {
            "experiment_name": experiment_name,
            "nested": nested,
            "tags": tags,
            "run_id": run_id,
        }
        self._run_name = run_name
        self._log_checkpoints = log_checkpoints
        self._joined: Joined | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Start the run, and log what is known before."""
        self._run(args, state, model)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Any = None, model: Any = None, **_: Any
    ) -> None:
        """Log metrics at the global step."""
        joined = self._run(args, state, model)
        if joined is not None:
            stepwell.log_metrics(numbers(logs), step=state.global_step, run_id=joined.run_id)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log the checkpoint, if that is wanted."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self._joined is not None and self._log_checkpoints and folder.is_dir():
            stepwell.log_artifact(folder, "checkpoints", run_id=self._joined.run_id)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run, if it was started here; what is logged later still goes to it."""
        if self._joined is not None:
            self._joined.end()

    def _run(self, args: Any, state: Any, model: Any) -> Joined | None:
        if self._joined is None and state.is_world_process_zero:
            name = self._run_name or getattr(args, "run_name", None)
            self._joined = join(run_name=name, **self._begin)
            params = flat(args.to_dict())
            if getattr(model, "config", None) is not None:
                params = {**flat(model.config.to_dict()), **params}
            stepwell.log_params(
                {key: str(value) for key, value in params.items() if value is not None},
                run_id=self._joined.run_id,
            )
        return self._joined


def register() -> None:
    """Let `report_to="stepwell"` find the callback."""
    known = extras.library("transformers.integrations.integration_utils", "StepwellCallback", "transformers")
    known.INTEGRATION_TO_CALLBACK[NAME] = StepwellCallback


register()
