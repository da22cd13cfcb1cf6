"""Hugging Face Accelerate: `Accelerator(log_with=StepwellTracker("name of the run"))`."""

from typing import Any

import stepwell
from stepwell import extras
from stepwell.integrations.joining import Joined, flat, join, listed, numbers

_tracking = extras.library("accelerate.tracking", "StepwellTracker", "accelerate")
_on_main_process = _tracking.on_main_process


class StepwellTracker(_tracking.GeneralTracker):  # type: ignore[name-defined]
    """Logs what an Accelerator logs, from the main process.

    The run is the active one, if there is one; else it is started by init_trackers, and ended by end_training.

    Args:
        run_name: of a new run; made up if not given.
        experiment_name: where a new run goes; if not given, where new runs go.
        run_id: an old run to go on with.
        tags: of the run.
        nested_run: start a run inside of the active one.
        description: of a new run.
    """

    name = "stepwell"
    requires_logging_directory = False
    main_process_only = True

    def __init__(
        self,
        run_name: str | None = None,
        *,
        experiment_name: str | None = None,
        run_id: str | None = None,
        tags: dict[str, Any] | None = None,
        nested_run: bool = False,
        description: str | None = None,
    ) -> None:
        super().__init__()
        self._begin: dict[str, Any] = {
            "run_name": run_name,
            "experiment_name": experiment_name,
            "run_id": run_id,
            "tags": tags,
            "nested": nested_run,
            "description": description,
        }
        self._joined: Joined | None = None

    @property
    def tracker(self) -> Any:
        """The run; None in other processes than the main one."""
        return self._joined.run if self._joined else None

    @_on_main_process  # type: ignore[untyped-decorator]
    def start(self) -> None:
        """Find the run, or start it."""
        self._run()

    @_on_main_process  # type: ignore[untyped-decorator]
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Log the configuration as params, nested ones with "/" between their names."""
        params = {key: str(value) for key, value in flat(values).items()}
        stepwell.log_params(params, run_id=self._run().run_id)

    @_on_main_process  # type: ignore[untyped-decorator]
    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        """Log the numbers as metrics, and texts as tags."""
        run_id = self._run().run_id
        stepwell.log_metrics(numbers(values), step=step, run_id=run_id)
        for key, value in values.items():
            if isinstance(value, str):
                stepwell.StepwellClient().set_tag(run_id, key, value)

    @_on_main_process  # type: ignore[untyped-decorator]
    def log_images(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        """Log pictures: lists of them by key."""
        for key, images in values.items():
            for image in listed(f"what {key!r} names", images):
                stepwell.StepwellClient().log_image(self._run().run_id, image, key=key, step=step)

    @_on_main_process  # type: ignore[untyped-decorator]
    def finish(self) -> None:
        """End the run, if it was started here."""
        if self._joined is not None:
            self._joined.end()

    def _run(self) -> Joined:
        if self._joined is None:
            self._joined = join(**self._begin)
        return self._joined
