"""The log functions about artifacts for the active run. Without one, the first of them starts one."""

from typing import Any, BinaryIO

from stepwell import experiments, settings
from stepwell.client import StepwellClient
from stepwell.delivery.receipts import PendingWrite
from stepwell.errors import short
from stepwell.files import paths
from stepwell.runs import active


@short
def log_artifact(local_path: Any, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Log a local file, or a folder, under its name.

    It is on the server, whole, when this returns; when the server is away, a copy waits on disk and is delivered later.

    Args:
        local_path: the file or folder.
        artifact_path: folder of the run that it goes to; its root if not given.
        run_id: another run than the active one.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for what cannot be an artifact; INVALID_STATE when the file is
            rewritten all the time (one that grows is stored as it was when the call began), or the run is deleted.
    """
    _client().log_artifact(_run_id(run_id), local_path, artifact_path)


@short
def log_artifacts(local_dir: Any, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Log all files below a local folder, several at once; arguments as in log_artifact."""
    _client().log_artifacts(_run_id(run_id), local_dir, artifact_path)


@short
def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Log text as a file in UTF-8."""
    _client().log_text(_run_id(run_id), text, artifact_file)


@short
def log_dict(dictionary: dict[str, Any], artifact_file: str, run_id: str | None = None) -> None:
    """Log a dict as JSON, or as YAML when the file's name ends in .yaml or .yml."""
    _client().log_dict(_run_id(run_id), dictionary, artifact_file)


@short
def log_figure(figure: Any, artifact_file: str, *, save_kwargs: dict[str, Any] | None = None) -> None:
    """Log a figure of matplotlib or plotly; `save_kwargs` go to what saves it. TypeError for other objects."""
    _client().log_figure(_run_id(None), figure, artifact_file, save_kwargs=save_kwargs)


@short
def log_image(
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
    synchronous: bool | None = False,
) -> PendingWrite | None:
    """Log an image as a file, or as one of a series; see StepwellClient.log_image."""
    return _client().log_image(_run_id(None), image, artifact_file, key, step, timestamp, synchronous)


@short
def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log a table (a DataFrame or a dict of columns) as .json or .parquet; rows are added to one that is there."""
    _client().log_table(_run_id(run_id), data, artifact_file)


@short
def load_table(
    artifact_file: str, run_ids: list[str] | None = None, extra_columns: list[str] | None = None
) -> Any:
    """Return the tables of runs as one DataFrame; see StepwellClient.load_table.

    Without `run_ids`, those of the active run's experiment, or of the one that new runs go to. It starts no run.
    """
    run = active.active_run()
    if run_ids is not None:
        experiment_id = settings.DEFAULT_EXPERIMENT_ID  # it does not matter
    else:
        experiment_id = run.info.experiment_id if run else experiments.current_experiment_id()
    return _client().load_table(experiment_id, artifact_file, run_ids, extra_columns)


@short
def log_stream(stream: BinaryIO, artifact_file: str, run_id: str | None = None) -> None:
    """Log what a binary stream gives until its end."""
    _client().log_stream(_run_id(run_id), stream, artifact_file)


@short
def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Return the URI of an artifact of the active run, whether it is there or not; of all of them if not given.

    It is runs:/<run id>/… as long as no server has said where the run's artifacts go.
    """
    run = active.active_run() or active.start_run()
    location = run.info.artifact_uri or f"runs:/{run.info.run_id}"
    return paths.joined(location, paths.check_folder(artifact_path))


@short
def flush_artifact_async_logging() -> None:
    """Deliver the artifacts that wait, if the server is there: MLflow's name."""
    from stepwell.files.outgoing import outbox

    outbox.deliver_outbox()


def _client() -> StepwellClient:
    return StepwellClient()


def _run_id(run_id: str | None) -> str:
    return run_id or (active.active_run() or active.start_run()).info.run_id
