"""The part of StepwellClient that is about artifacts."""

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stepwell import settings, values
from stepwell.delivery.receipts import PendingWrite
from stepwell.delivery.record import now_ms
from stepwell.entities import FileInfo
from stepwell.errors import StepwellException
from stepwell.files import formats, log, paths
from stepwell.files.outgoing.sending import temporary_file
from stepwell.files.tabular import formats as table_formats
from stepwell.files.tabular import images as table_images
from stepwell.files.tabular import tables
from stepwell.files.tabular.tables import LOGGED_ARTIFACTS_TAG

if TYPE_CHECKING:
    from stepwell.files.downloads import Downloader

LOGGED_IMAGES_TAG = "mlflow.loggedImages"


class ArtifactMethods:
    """Logs, lists and fetches artifacts by run id.

    Log calls return when the artifact is on the server, whole; when the server is away, it waits on disk and is
    delivered later. Artifact paths have slashes; a file replaces an older one of its path at once.
    """

    tracking_uri: str

    def log_artifact(self, run_id: str, local_path: Any, artifact_path: str | None = None) -> None:
        """Log a local file, or a folder, under its name into a folder of the run (its root if not given)."""
        log.log_path(self.tracking_uri, values.to_run_id(run_id), local_path, artifact_path)

    def log_artifacts(self, run_id: str, local_dir: Any, artifact_path: str | None = None) -> None:
        """Log all files below a local folder into a folder of the run (its root if not given)."""
        log.log_folder(self.tracking_uri, values.to_run_id(run_id), local_dir, artifact_path)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Log text as a file in UTF-8."""
        self._log_bytes(run_id, str(text).encode(), artifact_file)

    def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> None:
        """Log a dict as JSON, or as YAML when the file's name ends in .yaml or .yml."""
        self._log_bytes(run_id, formats.dict_bytes(dictionary, str(artifact_file)), artifact_file)

    def log_stream(self, run_id: str, stream: BinaryIO, artifact_file: str) -> None:
        """Log what a binary stream gives until its end."""
        log.log_stream(self.tracking_uri, values.to_run_id(run_id), stream, artifact_file)

    def log_figure(
        self,
        run_id: str,
        figure: Any,
        artifact_file: str,
        *,
        save_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Log a figure of matplotlib or plotly; `save_kwargs` go to what saves it. TypeError for other objects."""
        path = paths.check_path(artifact_file, "artifact file")
        with temporary_file(path) as file:
            formats.save_figure(figure, file, save_kwargs)
            self._log_file(run_id, file, path)

    def log_image(
        self,
        run_id: str,
        image: Any,
        artifact_file: str | None = None,
        key: str | None = None,
        step: int | None = None,
        timestamp: int | None = None,
        synchronous: bool | None = None,
    ) -> PendingWrite | None:
        """Log an image: a file of its own (`artifact_file`), or one of a series (`key`, `step`, `timestamp` in ms).

        Args:
            run_id: the run.
            image: of Pillow, or an array; see `files.formats.to_image`.
            artifact_file: the path; its suffix says the format.
            key: name of the series; the image is stored below images/, as MLflow does it.
            step: of the series, 0 if not given.
            timestamp: milliseconds since the epoch, now if not given.
            synchronous: of the tag that marks the run; the image itself is there when this returns.

        Raises:
            TypeError: both or neither of `artifact_file` and `key` are given, or it is no image.
            ValueError: the key, the array's shape or its numbers are none of an image.
        """
        _check_image_arguments(artifact_file, key, step, timestamp)
        found = formats.to_image(image)
        if artifact_file is not None:
            self._log_image(run_id, found, paths.check_path(artifact_file, "artifact file"))
            return None
        at_ms = values.to_timestamp_ms(str(key), timestamp, "Image") if timestamp else now_ms()
        full, small = formats.image_paths(str(key), values.to_step(str(key), step, "Image"), at_ms)
        self._log_image(run_id, found, full)
        self._log_image(run_id, formats.thumbnail(found), small)
        pending: PendingWrite | None = self._set_tag(run_id, LOGGED_IMAGES_TAG, "True", synchronous)
        return pending

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Log a table (a DataFrame or a dict of columns) as .json or .parquet; rows are added to one that is there.

        Rows of many threads, processes and ranks come together, each once. Images in cells (of Pillow, matplotlib,
        arrays; see `table_images.to_image`) are logged below table_images/, and the cells refer to them.
        """
        path = paths.check_path(artifact_file, "artifact file")
        table_formats.check_table_path(path)
        table = table_images.with_references(
            table_formats.to_table(data), path, partial(self._log_image, run_id)
        )
        log.log_table(self.tracking_uri, values.to_run_id(run_id), table, path)

    def load_table(
        self,
        experiment_id: str,
        artifact_file: str,
        run_ids: list[str] | None = None,
        extra_columns: list[str] | None = None,
    ) -> Any:
        """Return the tables of runs, one below the other, as a DataFrame.

        Args:
            experiment_id: whose runs, when `run_ids` is not given.
            artifact_file: path of the table in each run.
            run_ids: which runs; those without such a table are passed over.
            extra_columns: columns to add: fields of RunInfo such as run_id, or names of params, tags and metrics.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST when no run has such a table.
        """
        path = paths.check_path(artifact_file, "artifact file")
        table_formats.check_table_path(path)
        found = []
        for run in self._runs_with_tables(experiment_id, run_ids):
            self._artifact_calls(run.info.run_id)
            table = tables.read_table(self.tracking_uri, run.info.run_id, path)
            if table is not None:
                for column in extra_columns or ():
                    table[column] = _column(run, column)
                found.append(table)
        if not found:
            raise StepwellException(f"None of the runs has a table {path!r}.", "RESOURCE_DOES_NOT_EXIST")
        return table_formats.joined_tables(found)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """Return what is directly in a folder of the run, in order; nothing for a file or what is not there."""
        return self._list_artifacts(values.to_run_id(run_id), path)

    def _list_artifacts(self, owner: str, path: str | None, *, own_only: bool = False) -> list[FileInfo]:
        """Return what is in a folder of a run, or of a logged model; `own_only`: without what the run's models have."""
        folder = paths.check_folder(path)
        found = [
            FileInfo(it.path, it.is_folder, None if it.is_folder else it.size_bytes)
            for it in self._artifact_calls(owner).list(owner, folder, recursive=False, own_only=own_only)
        ]
        return sorted(found, key=lambda info: info.path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        """Fetch a file or a folder ("" is everything) and return its local path.

        Args:
            run_id: the run.
            path: of the file or folder in the run.
            dst_path: local folder, made if missing; a new temporary one if not given.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such artifact.
        """
        return self._download_artifacts(values.to_run_id(run_id), path, dst_path)

    def _download_artifacts(self, owner: str, path: str, dst_path: str | None) -> str:
        """Fetch a file or a folder of a run, or of a logged model; see `download_artifacts`."""
        chosen = tempfile.mkdtemp(prefix="stepwell-") if dst_path is None else dst_path
        destination = settings.local_folder(chosen, "dst_path")
        with self._downloader(owner) as downloader:
            return str(downloader.download(paths.check_folder(path), destination))

    def delete_artifacts(self, run_id: str, path: str | None = None) -> int:
        """Remove a file, a folder, or (without a path) all artifacts of the run, for good; returns how many files."""
        run_id, folder = values.to_run_id(run_id), paths.check_folder(path)
        calls, count, more = self._artifact_calls(run_id), 0, True
        while more:
            step, more = calls.delete(run_id, folder)
            count += step
        return count

    def _artifact_calls(self, owner: str) -> Any:
        """Return the way to the artifacts of a run or model, after delivering what waits of them: reading sees it."""
        from stepwell.files.calls import ArtifactCalls
        from stepwell.files.outgoing import outbox

        calls = ArtifactCalls(self.tracking_uri)
        calls.reach()
        outbox.deliver_run(self.tracking_uri, owner)
        return calls

    def _downloader(self, owner: str) -> "Downloader":
        from stepwell.files.downloads import Downloader

        self._artifact_calls(owner)
        return Downloader(self.tracking_uri, owner)

    def _log_bytes(self, run_id: str, data: bytes, path: object) -> None:
        log.log_bytes(self.tracking_uri, values.to_run_id(run_id), data, path)

    def _log_file(self, run_id: str, file: Path, path: str) -> None:
        log.log_file(self.tracking_uri, values.to_run_id(run_id), file, path)

    def _log_image(self, run_id: str, image: Any, path: str) -> None:
        with temporary_file(path) as file:
            image.save(file)
            self._log_file(run_id, file, path)

    def _runs_with_tables(self, experiment_id: str, run_ids: list[str] | None) -> list[Any]:
        if run_ids is not None:
            return [self._get_run(run_id) for run_id in run_ids]
        runs: list[Any] = []
        token = None
        while True:
            page = self._search_runs(experiment_id, token)
            runs += [run for run in page if LOGGED_ARTIFACTS_TAG in run.data.tags]
            token = page.token
            if not token:
                return runs

    def _get_run(self, run_id: str) -> Any:
        return self.get_run(run_id)  # type: ignore[attr-defined]  # StepwellClient has it

    def _set_tag(self, run_id: str, key: str, value: str, synchronous: bool | None) -> Any:
        return self.set_tag(run_id, key, value, synchronous)  # type: ignore[attr-defined]

    def _search_runs(self, experiment_id: str, token: str | None) -> Any:
        return self.search_runs([experiment_id], max_results=1_000, page_token=token)  # type: ignore[attr-defined]


def _check_image_arguments(
    artifact_file: str | None, key: str | None, step: int | None, timestamp: int | None
) -> None:
    if artifact_file is not None and any(argument is not None for argument in (key, step, timestamp)):
        raise TypeError(
            "The `artifact_file` parameter cannot be used in conjunction with `key`, `step`, or `timestamp` parameters."
        )
    if artifact_file is None and key is None:
        raise TypeError("Invalid arguments: Please specify exactly one of `artifact_file` or `key`.")


def _column(run: Any, name: str) -> Any:
    """Return what a run says under a name, for load_table."""
    if hasattr(run.info, name):
        return getattr(run.info, name)
    for found in (run.data.params, run.data.tags, run.data.metrics):
        if name in found:
            return found[name]
    raise StepwellException(
        f"Run {run.info.run_id} has no {name!r}: extra columns are fields of RunInfo, params, tags or metrics.",
        "INVALID_PARAMETER_VALUE",
    )
