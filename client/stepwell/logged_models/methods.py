"""The part of StepwellClient that is about logged models."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepwell import values
from stepwell.entities import (
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    PagedList,
)
from stepwell.errors import invalid
from stepwell.files import log
from stepwell.logged_models import specs

if TYPE_CHECKING:
    from stepwell.logged_models.calls import LoggedModelCalls

SEARCH_PAGE_SIZE_DEFAULT = 100
# What one answer of the server holds at most.
ANSWER_MODELS_MAX = 1_000


class LoggedModelMethods:
    """Creates, reads and changes logged models by their ids, m-<32 hexadecimal digits>."""

    tracking_uri: str

    @property
    def _models(self) -> "LoggedModelCalls":
        # gRPC is imported with the first call and not with the package.
        from stepwell.logged_models.calls import LoggedModelCalls

        return LoggedModelCalls(self.tracking_uri)

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Create a model, PENDING: its files come with log_model_artifacts, and finalize_logged_model ends it.

        Many models may have one name; without a name, one is made up.
        """
        spec = specs.model_spec(
            model_id=None,
            experiment_id=experiment_id,
            name=name,
            source_run_id=source_run_id,
            tags=tags,
            params=params,
            model_type=model_type,
        )
        return self._models.create(spec)

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus | str) -> LoggedModel:
        """Say that a model is READY, or FAILED. Once it is READY, its source run shows its files, too."""
        try:
            checked = LoggedModelStatus(str(status))
        except ValueError:
            checked = LoggedModelStatus.UNSPECIFIED
        if checked is LoggedModelStatus.UNSPECIFIED:
            raise invalid(f"A model becomes READY or FAILED, not {status!r}.")
        return self._models.finalize(values.to_model_id(model_id), checked)

    def get_logged_model(self, model_id: str) -> LoggedModel:
        """Return a model with its params, tags and metrics; RESOURCE_DOES_NOT_EXIST when there is none."""
        return self._models.get(self._delivered_model(model_id))

    def log_model_params(self, model_id: str, params: Mapping[str, Any]) -> None:
        """Add params to a model; they are written once."""
        self._models.log_params(values.to_model_id(model_id), specs.to_model_texts(params))

    def set_logged_model_tags(self, model_id: str, tags: Mapping[str, Any]) -> None:
        """Set tags of a model; the others stay as they are."""
        self._models.set_tags(values.to_model_id(model_id), specs.to_model_texts(tags))

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a model; RESOURCE_DOES_NOT_EXIST when there is no such tag."""
        self._models.delete_tag(values.to_model_id(model_id), str(key))

    def delete_logged_model(self, model_id: str) -> None:
        """Delete a model, softly; its source run shows the newest other one of its name."""
        self._models.delete(values.to_model_id(model_id))

    def restore_logged_model(self, model_id: str) -> None:
        """Restore a model that was deleted."""
        self._models.restore(values.to_model_id(model_id))

    def search_logged_models(
        self,
        experiment_ids: Sequence[str] | None,
        filter_string: str | None = None,
        datasets: Sequence[Mapping[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: Sequence[Mapping[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> PagedList[LoggedModel]:
        """Return a page of models, newest first unless ordered; `token` of the page asks for the next one.

        Args:
            experiment_ids: where to search; None means everywhere.
            filter_string: for example "metrics.accuracy > 0.9 AND params.depth = '3' AND status = 'READY'".
            datasets: dicts with dataset_name and maybe dataset_digest: what the metrics of the filter were measured on.
            max_results: size of the page; 100 if not given.
            order_by: dicts with field_name, ascending (True if not given), dataset_name, dataset_digest.
            page_token: `token` of the page before; all other arguments as then.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE; the message points at what cannot be read.
        """
        from stepwell.logged_models.calls import to_search

        size = SEARCH_PAGE_SIZE_DEFAULT if max_results is None else max_results
        if not isinstance(size, int) or size < 1:
            raise invalid(f"max_results is a number from 1 on, not {max_results!r}.")
        self._deliver_everything()
        ids = [experiment_ids] if isinstance(experiment_ids, str) else experiment_ids
        request = to_search(ids, filter_string, datasets, order_by, page_token)
        found: list[LoggedModel] = []
        while True:
            request.page_size = min(size - len(found), ANSWER_MODELS_MAX)
            page = self._models.search(request)
            found.extend(page)
            if page.token is None or len(found) >= size:
                return PagedList(found, page.token)
            request.page_token = page.token

    def log_outputs(self, run_id: str, models: Sequence[LoggedModelOutput]) -> None:
        """Note models that a run made, each at a step."""
        self._models.link(self._delivered_run(run_id), [_checked_output(it) for it in models])

    def log_model_inputs(self, run_id: str, models: Sequence[LoggedModelInput]) -> None:
        """Note models that a run used."""
        self._models.link(self._delivered_run(run_id), [], [_checked_input(it) for it in models])

    def log_model_artifact(self, model_id: str, local_path: Any, artifact_path: str | None = None) -> None:
        """Log a local file, or a folder, under its name into a folder of the model (its root if not given)."""
        log.log_path(self.tracking_uri, values.to_model_id(model_id), local_path, artifact_path)

    def log_model_artifacts(self, model_id: str, local_dir: Any, artifact_path: str | None = None) -> None:
        """Log all files below a local folder into a folder of the model (its root if not given)."""
        log.log_folder(self.tracking_uri, values.to_model_id(model_id), local_dir, artifact_path)

    def list_logged_model_artifacts(self, model_id: str, path: str | None = None) -> list[Any]:
        """Return what is directly in a folder of a model's files, in order."""
        return self._list_artifacts(values.to_model_id(model_id), path)  # type: ignore[attr-defined,no-any-return]

    def download_logged_model_artifacts(self, model_id: str, path: str, dst_path: str | None = None) -> str:
        """Fetch a file or a folder ("" is everything) of a model's files and return its local path."""
        return self._download_artifacts(values.to_model_id(model_id), path, dst_path)  # type: ignore[attr-defined,no-any-return]

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Note a model that was logged as files of a run, as MLflow 2 does it: these become a logged model, too.

        `mlflow_model` has artifact_path, model_uuid and get_tags_dict().
        """
        from stepwell.logged_models import noting

        noting.note(self, run_id, mlflow_model)

    def _delivered_model(self, model_id: str) -> str:
        """Return the id of a model after delivering what waits of it, so that reading sees it."""
        from stepwell.files.outgoing import outbox

        checked = values.to_model_id(model_id)
        outbox.deliver_run(self.tracking_uri, checked)
        return checked

    def _delivered_run(self, run_id: str) -> str:
        return self._delivered(run_id)  # type: ignore[attr-defined,no-any-return]  # StepwellClient has it

    def _deliver_everything(self) -> None:
        self._deliver_all()  # type: ignore[attr-defined]


def _checked_input(given: LoggedModelInput) -> LoggedModelInput:
    if not isinstance(given, LoggedModelInput):
        raise invalid(f"A model that a run used is given as LoggedModelInput, not {type(given).__name__}.")
    return LoggedModelInput(values.to_model_id(given.model_id))


def _checked_output(output: LoggedModelOutput) -> LoggedModelOutput:
    if not isinstance(output, LoggedModelOutput):
        raise invalid(f"A model that a run made is given as LoggedModelOutput, not {type(output).__name__}.")
    model_id = values.to_model_id(output.model_id)
    return LoggedModelOutput(model_id, values.to_step(model_id, output.step, "Model"))
