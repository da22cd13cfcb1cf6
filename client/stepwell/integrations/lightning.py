"""PyTorch Lightning: `Trainer(logger=StepwellLogger())`, of either package (lightning, pytorch_lightning).

Only the process of rank 0 logs, as with Lightning's own loggers.
"""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from stepwell import StepwellClient, extras, settings
from stepwell.errors import invalid
from stepwell.integrations.joining import Joined, flat, join, listed, numbers

# Of the two packages, the one that the script has imported.
_PACKAGE = (
    "pytorch_lightning"
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules
    else "lightning.pytorch"
)
_loggers = extras.library(f"{_PACKAGE}.loggers.logger", "StepwellLogger", "lightning")
_rank_zero_only = extras.library(f"{_PACKAGE}.utilities", "StepwellLogger", "lightning").rank_zero_only

CHECKPOINTS = "checkpoints"


class StepwellLogger(_loggers.Logger):  # type: ignore[name-defined]  # of one package or the other
    """Logs metrics, hyperparameters, media and checkpoints of a Trainer to a run.

    The run is the active one, if there is one; else it is started with the first thing that is logged, and ends with
    the training. `experiment` is a StepwellClient, and `run_id` the run.

    Args:
        experiment_name: where a new run goes.
        run_name: of a new run; made up if not given.
        tracking_uri: the server; the usual one if not given.
        tags: of the run.
        save_dir: where Lightning keeps checkpoints.
        log_model: False; True: checkpoints become artifacts at the end of training; "all": whenever one is saved.
        prefix: before the names of metrics, with a "-".
        run_id: an old run to go on with.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        experiment_name: str = "lightning_logs",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: Mapping[str, Any] | None = None,
        save_dir: str | Path | None = None,
        log_model: Literal[True, False, "all"] = False,
        prefix: str = "",
        run_id: str | None = None,
    ) -> None:
        super().__init__()
        if log_model not in (True, False, "all"):
            raise invalid(f"log_model is True, False or 'all', not {log_model!r}.")
        if tracking_uri is not None:
            settings.parse_uri(tracking_uri)
        self._begin: dict[str, Any] = {
            "experiment_name": experiment_name,
            "run_name": run_name,
            "tracking_uri": tracking_uri,
            "tags": tags,
            "run_id": run_id,
        }
        self._save_dir = str(save_dir) if save_dir else None
        self._log_model = log_model
        self._prefix = prefix
        self._joined: Joined | None = None
        self._checkpoints: Any = None
        # What was logged of each checkpoint: its time of change.
        self._logged: dict[str, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Spawned ranks go on with the run, if there is one already."""
        begin = {**self._begin, "run_id": self._joined.run_id if self._joined else self._begin["run_id"]}
        return {**self.__dict__, "_joined": None, "_begin": begin}

    @property
    @_loggers.rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> StepwellClient:
        """A client of the server, for everything that is by `run_id`; in others, something that does nothing."""
        return StepwellClient(self._run().run.writer.uri)

    @property
    def run_id(self) -> str | None:
        """The run's id; the run is started if it was not. In processes of other ranks None, unless it was given."""
        return self._run().run_id if _rank_zero_only.rank == 0 else self._begin["run_id"]

    @property
    def name(self) -> str | None:
        """The experiment's id, as MLFlowLogger has it; None in processes of other ranks."""
        return str(self._run().run.info.experiment_id) if _rank_zero_only.rank == 0 else None

    @property
    def version(self) -> str | None:
        """The run's id, as MLFlowLogger has it."""
        return self.run_id

    @property
    def save_dir(self) -> str | None:
        """Where Lightning keeps checkpoints."""
        return self._save_dir

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Log hyperparameters, nested ones with "/" between their names."""
        self._run().run.writer.log_params({key: str(value)[:6_000] for key, value in flat(params).items()})

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics at a step; it waits for nothing."""
        prefix = f"{self._prefix}{self.LOGGER_JOIN_CHAR}" if self._prefix else ""
        self._log({prefix + key: value for key, value in metrics.items()}, step)

    def log_image(self, key: str, images: Sequence[Any], step: int | None = None, **_: Any) -> None:
        """Log pictures as a series; see `StepwellClient.log_image`."""
        given = listed("images", images)
        self._log_media("log_image", [{"image": image, "key": key, "step": step} for image in given])

    def log_audio(self, key: str, audios: Sequence[Any], step: int | None = None, **options: Any) -> None:
        """Log sounds as a series; see `StepwellClient.log_audio`."""
        given = listed("audios", audios)
        self._log_media("log_audio", [{"audio": it, "key": key, "step": step, **options} for it in given])

    def log_video(self, key: str, videos: Sequence[Any], step: int | None = None, **options: Any) -> None:
        """Log videos as a series; see `StepwellClient.log_video`."""
        given = listed("videos", videos)
        self._log_media("log_video", [{"video": it, "key": key, "step": step, **options} for it in given])

    def log_table(self, key: str, dataframe: Any, **_: Any) -> None:
        """Add rows to the table `key`.json."""
        self._log_media("log_table", [{"data": dataframe, "artifact_file": f"{key}.json"}])

    def log_text(self, key: str, text: str, **_: Any) -> None:
        """Log a text as the artifact `key`.txt."""
        self._log_media("log_text", [{"text": text, "artifact_file": f"{key}.txt"}])

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Log what was saved, now or at the end."""
        if self._log_model == "all" or (self._log_model is True and checkpoint_callback.save_top_k == -1):
            self._log_checkpoints(checkpoint_callback)
        elif self._log_model is True:
            self._checkpoints = checkpoint_callback

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def finalize(self, status: str) -> None:
        """Log the checkpoints that are left, and end the run if it was started here."""
        if self._joined is None:
            return
        if self._checkpoints is not None:
            self._log_checkpoints(self._checkpoints)
        self._joined.end("FAILED" if status == "failed" else "FINISHED")

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def _log_media(self, method: str, calls: Sequence[dict[str, Any]]) -> None:
        client, run_id = self.experiment, self._run().run_id
        for arguments in calls:
            getattr(client, method)(run_id, **arguments)

    def _log(self, metrics: Mapping[str, Any], step: int | None) -> None:
        from stepwell.delivery import record

        record.log_metrics(self._run().run.writer, numbers(metrics), step)

    def _log_checkpoints(self, callback: Any) -> None:
        paths = {callback.last_model_path, callback.best_model_path, *callback.best_k_models}
        for path in sorted(map(Path, filter(None, paths))):
            if not path.exists() or self._logged.get(str(path)) == path.stat().st_mtime:
                continue
            self._logged[str(path)] = path.stat().st_mtime
            self.experiment.log_artifact(self._run().run_id, path, CHECKPOINTS)
        if callback.best_model_path:
            score = callback.best_model_score
            best = {
                "best": Path(callback.best_model_path).name,
                "score": None if score is None else float(score),
                "monitor": callback.monitor,
            }
            self.experiment.log_dict(self._run().run_id, best, f"{CHECKPOINTS}/best.json")

    def _run(self) -> Joined:
        if self._joined is None:
            self._joined = join(**self._begin)
        return self._joined
