"""The rules of logged models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.logged_models import (
    LINKS_MAX,
    NAME_BYTES_MAX,
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    PAIRS_MAX,
    PARAM_VALUE_CHARS_MAX,
    STATUS_MESSAGE_CHARS_MAX,
    TAG_VALUE_CHARS_MAX,
    TYPE_CHARS_MAX,
    DatasetName,
    LoggedModel,
    LoggedModelSpec,
    LoggedModelStatus,
    ModelOutput,
)
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.search.expressions import FieldKind, OrderKey
from stepwell_server.search.parser import parse_filter_aside, parse_order
from stepwell_server.search.queries import LoggedModelSearch
from stepwell_server.search.subjects import LOGGED_MODELS
from stepwell_server.services import validation
from stepwell_server.services.content.paths import check_path
from stepwell_server.services.paging.searches import make_search_token, read_search_token, search_digest
from stepwell_server.services.search import check_experiments, pointing_at_patterns
from stepwell_server.services.sizes import ANSWER_BYTES_MAX, ITEM_BYTES, ROW_BYTES, pairs_bytes, text_bytes
from stepwell_server.store.ports.models import LoggedModelStore

# About what one answer holds, of the 8 MiB that a message may have; always at least one model.
DATASETS_MAX = 100
# MLflow's, and one that paths do not take.
NAME_CHARACTERS_REFUSED = ("/", ":", ".", "%", '"', "'", "\\")


@dataclass(frozen=True, slots=True)
class LoggedModelOrder:
    """One key of an order; of a metric, maybe as it was measured on a data set."""

    field: str
    descending: bool = False
    dataset: DatasetName | None = None


@dataclass(frozen=True, slots=True)
class LoggedModelsWanted:
    """A search of models as the caller gave it. `experiment_ids` of None means all experiments."""

    experiment_ids: Sequence[int] | None
    filter: str = ""
    datasets: Sequence[DatasetName] = ()
    order_by: Sequence[LoggedModelOrder] = ()
    page_size: int = 0
    page_token: str = ""


class LoggedModelService:
    """Creates, reads and changes models. Raises what `ports.models` says, and InvalidArgumentError."""

    def __init__(self, store: LoggedModelStore) -> None:
        self._store = store

    async def create(self, spec: LoggedModelSpec) -> tuple[LoggedModel, bool]:
        """Create a model unless it exists; tells whether it was created. A repeat changes nothing."""
        check_name(spec.name)
        created = await self._store.create(_checked(spec))
        return await self._store.get(spec.model_id), created

    async def adopt(self, spec: LoggedModelSpec, folder: str, step: int) -> bool:
        """Make a READY model of files that its source run has in a folder, and note that the run made it.

        Tells whether it was created: not so when it is there, or there is no model in the folder.
        """
        check_path(folder)
        run_id = spec.source_run_id
        if run_id is None or not await self._store.create(_checked(spec), folder):
            return False
        await self._store.link(run_id, [ModelOutput(spec.model_id, step)], [])
        return True

    async def get(self, model_id: UUID) -> LoggedModel:
        """Return a model with its params, tags and metrics."""
        return await self._store.get(model_id)

    async def finalize(self, model_id: UUID, status: LoggedModelStatus, message: str = "") -> LoggedModel:
        """Say that a model is complete, or never will be."""
        validation.check_text("the status message", message, STATUS_MESSAGE_CHARS_MAX)
        await self._store.set_status(model_id, status, message)
        return await self._store.get(model_id)

    async def log_params(self, model_id: UUID, params: Mapping[str, str]) -> None:
        """Add params."""
        _check_params(params)
        await self._store.log_params(model_id, params)

    async def set_tags(self, model_id: UUID, tags: Mapping[str, str]) -> None:
        """Set tags."""
        _check_tags(tags)
        await self._store.set_tags(model_id, tags)

    async def delete_tag(self, model_id: UUID, key: str) -> None:
        """Remove a tag."""
        validation.check_model_key("tag", key)
        await self._store.delete_tag(model_id, key)

    async def delete(self, model_id: UUID) -> None:
        """Delete a model."""
        await self._store.set_stage(model_id, LifecycleStage.DELETED)

    async def restore(self, model_id: UUID) -> None:
        """Restore a model."""
        await self._store.set_stage(model_id, LifecycleStage.ACTIVE)

    async def link(self, run_id: UUID, outputs: Sequence[ModelOutput], inputs: Sequence[UUID]) -> None:
        """Note which models a run made, and used."""
        for what, count in (("outputs", len(outputs)), ("inputs", len(inputs))):
            if count > LINKS_MAX:
                raise InvalidArgumentError(
                    f"{count:,} {what} are given, at most {LINKS_MAX:,} are allowed at once"
                )
        await self._store.link(run_id, outputs, inputs)

    async def search(
        self, wanted: LoggedModelsWanted, within: Within = EVERYWHERE
    ) -> tuple[Sequence[LoggedModel], str]:
        """Return a page of models, and the token of the next one, empty after the last."""
        if not 0 <= wanted.page_size <= PAGE_SIZE_MAX:
            raise InvalidArgumentError(
                f"the page size is {wanted.page_size}; it has to be from 1 to {PAGE_SIZE_MAX:,}, or 0"
            )
        size = wanted.page_size or PAGE_SIZE_DEFAULT
        check_experiments(wanted.experiment_ids)
        order = _order(wanted.order_by)
        if len(wanted.datasets) > DATASETS_MAX or not all(dataset.name for dataset in wanted.datasets):
            raise InvalidArgumentError(f"at most {DATASETS_MAX} data sets may be given, each with its name")
        ids = None if wanted.experiment_ids is None else sorted(set(wanted.experiment_ids))
        digest = search_digest("models", ids, wanted.filter, list(wanted.datasets), order)
        chosen, hidden = within.chosen(ids)
        search = LoggedModelSearch(
            chosen,
            await parse_filter_aside(wanted.filter, LOGGED_MODELS),
            wanted.datasets,
            order,
            size + 1,  # one more than asked for tells whether there is another page
            read_search_token(digest, wanted.page_token, order),
            hidden,
        )
        with pointing_at_patterns(wanted.filter):
            found = await self._store.search(search)
        models = _that_fit([model for model, _ in found[:size]])
        has_more = len(found) > len(models)
        return models, make_search_token(digest, found[len(models) - 1][1]) if has_more else ""


def check_name(name: str) -> None:
    """Check the name of a model; an empty one is made up. Raises InvalidArgumentError."""
    if any(character in name for character in NAME_CHARACTERS_REFUSED) or not name.isprintable():
        raise InvalidArgumentError(
            f"Invalid model name ({name[:60]!r}) provided. Model name must be a non-empty string and cannot contain "
            f"the following characters: {' '.join(NAME_CHARACTERS_REFUSED)}"
        )
    if len(name.encode()) > NAME_BYTES_MAX:
        raise InvalidArgumentError(
            f"the name of a model has {len(name.encode()):,} bytes, at most {NAME_BYTES_MAX} are allowed: {name[:60]!r}"
        )


def _checked(spec: LoggedModelSpec) -> LoggedModelSpec:
    if spec.experiment_id is None and spec.experiment_name is None and spec.source_run_id is None:
        raise InvalidArgumentError(
            "a model needs an experiment, or a source run, whose experiment it then has"
        )
    if spec.experiment_name is not None:
        validation.check_experiment_name(spec.experiment_name)
    validation.check_text("the type of a model", spec.model_type, TYPE_CHARS_MAX)
    validation.check_time("the creation time", spec.creation_time_ms)
    _check_params(spec.params)
    _check_tags(spec.tags)
    return replace(spec, name=spec.name or f"model-{spec.model_id.hex[:8]}")


def _check_params(params: Mapping[str, str]) -> None:
    _check_pairs("param", params, PARAM_VALUE_CHARS_MAX)


def _check_tags(tags: Mapping[str, str]) -> None:
    _check_pairs("tag", tags, TAG_VALUE_CHARS_MAX)


def _check_pairs(kind: str, pairs: Mapping[str, str], value_chars_max: int) -> None:
    if len(pairs) > PAIRS_MAX:
        raise InvalidArgumentError(
            f"{len(pairs):,} {kind}s are given, at most {PAIRS_MAX:,} are allowed at once"
        )
    for key, value in pairs.items():
        validation.check_model_key(kind, key)
        validation.check_text(f"the value of {kind} {key[:60]!r}", value, value_chars_max)


def _order(keys: Sequence[LoggedModelOrder]) -> tuple[OrderKey, ...]:
    order = []
    for key, parsed in zip(keys, parse_order([it.field for it in keys], LOGGED_MODELS), strict=True):
        field = parsed.field
        if key.dataset is not None:
            if field.kind is not FieldKind.METRIC or not key.dataset.name:
                raise InvalidArgumentError(
                    f"only metrics are of a data set, by its name; {key.field[:60]!r} is not"
                )
            field = replace(field, dataset=(key.dataset.name, key.dataset.digest))
        order.append(OrderKey(field, key.descending))
    return tuple(order)


def _that_fit(models: Sequence[LoggedModel]) -> Sequence[LoggedModel]:
    """Return the first models that one answer holds, at least one."""
    free = ANSWER_BYTES_MAX
    for count, model in enumerate(models):
        free -= ROW_BYTES + pairs_bytes(model.params) + pairs_bytes(model.tags)
        free -= sum(
            3 * ITEM_BYTES + text_bytes(it.key + it.dataset_name + it.dataset_digest) for it in model.metrics
        )
        if count and free < 0:
            return models[:count]
    return models
