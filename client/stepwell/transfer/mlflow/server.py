"""Runs of MLflow's server, through its REST API.

MLflow keeps the infinities as plus or minus 1.7976931348623157e308, which are taken for infinities again.
"""

import urllib.parse
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from stepwell.entities import Dataset, DatasetInput, InputTag
from stepwell.errors import StepwellException
from stepwell.transfer.artifact_sources import ServerArtifacts
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.calls import ODD_ANSWER, MlflowCalls
from stepwell.transfer.mlflow.values import point, status_of, time_of
from stepwell.transfer.models.registered_rows import registered_of_answers
from stepwell.transfer.models.server import model_of
from stepwell.transfer.sources import (
    ImportedExperiment,
    ImportedModel,
    ImportedRegistered,
    ImportedRun,
    PointColumns,
    SourceError,
    as_run_id,
    columns,
)

# Points that go on together: 20 MB as Python objects.
ROWS_AT_ONCE = 100_000
# What MLflow's server gives at once.
RUNS_PAGE = 1_000
POINTS_PAGE = 25_000
MODELS_PAGE = 100


class MlflowServer:
    """A tracking server, through its REST API; MLFLOW_TRACKING_USERNAME and the like say who asks."""

    def __init__(self, uri: str) -> None:
        self._calls = MlflowCalls(uri)
        self._uri = self._calls.shown
        self._found: list[tuple[str, str]] = []  # ids and names of experiments
        self.left = Left()

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        try:
            for one in self._pages("experiments/search", {"max_results": RUNS_PAGE}, "experiments"):
                yield from self._experiment(one)
        except (SourceError, *ODD_ANSWER) as failure:
            raise StepwellException(
                f"{self._uri} does not tell its experiments: {_reason(failure)}. Is it a server of MLflow?",
                "TEMPORARILY_UNAVAILABLE",
            ) from None

    def _experiment(self, found: Any) -> Iterator[ImportedExperiment]:
        try:
            experiment_id, name, tags = (
                str(found["experiment_id"]),
                str(found["name"]),
                _pairs(found.get("tags")),
            )
        except ODD_ANSWER as failure:
            self.left.add(f"an experiment is not as MLflow's are: {_reason(failure)}")
        else:
            self._found.append((experiment_id, name))
            yield ImportedExperiment(name, tags)

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for experiment_id, name in self._found:
            request = {"experiment_ids": [experiment_id], "max_results": RUNS_PAGE}
            found = self._pages("runs/search", request, "runs")
            while True:
                try:
                    run = next(found, None)
                except (SourceError, *ODD_ANSWER) as failure:
                    self.left.add(f"experiment {name!r}, what is left of its runs: {_reason(failure)}")
                    break
                if run is None:
                    break
                try:
                    imported = self._run(run, name)
                except ODD_ANSWER as failure:
                    self.left.add(f"a run of experiment {name!r} is not as MLflow's are: {_reason(failure)}")
                else:
                    yield imported

    def _run(self, run: Mapping[str, Any], experiment: str) -> ImportedRun:
        info, data = run["info"], run.get("data", {})
        run_id = str(info["run_id"])
        own = as_run_id(run_id)

        def tell(problem: str) -> None:
            self.left.add(f"run {run_id}: {problem}")

        end_time_ms = time_of("end_time", info.get("end_time") or None, tell)
        return ImportedRun(
            source_id=own or f"mlflow {self._uri} {run_id}",
            known_as=() if own else (run_id,),
            experiment=experiment,
            name=str(info.get("run_name", "")),
            status=status_of(info.get("status"), end_time_ms, tell),
            start_time_ms=time_of("start_time", info.get("start_time"), tell) or 0,
            end_time_ms=end_time_ms,
            points=partial(
                self._points, run_id, sorted({str(metric["key"]) for metric in data.get("metrics", ())})
            ),
            user=str(info.get("user_id", "")),
            params=_pairs(data.get("params")),
            tags=_pairs(data.get("tags")),
            inputs=[_input(one) for one in run.get("inputs", {}).get("dataset_inputs", ())],
            artifacts=ServerArtifacts(
                f"run {run_id}",
                partial(self._listed, run_id),
                partial(self._calls.fetch, run_id),
                self.left,
            ),
        )

    def _listed(self, run_id: str, request: Mapping[str, str]) -> Mapping[str, Any]:
        query = urllib.parse.urlencode({"run_id": run_id, **request})
        return self._calls.ask(f"artifacts/list?{query}")

    def _points(self, run_id: str, keys: list[str]) -> Iterator[PointColumns]:
        for key in keys:
            points = self._history(run_id, key)
            more = True
            while more:
                rows: list[tuple[str, int, int, float]] = []
                try:
                    rows.extend(islice(points, ROWS_AT_ONCE))
                except (SourceError, *ODD_ANSWER) as failure:
                    self.left.add(f"run {run_id}, points of metric {key!r}: {_reason(failure)}")
                more = len(rows) == ROWS_AT_ONCE
                if rows:  # also what came before a failure
                    yield columns(rows)

    def _history(self, run_id: str, key: str) -> Iterator[tuple[str, int, int, float]]:
        request = {"run_id": run_id, "metric_key": key, "max_results": POINTS_PAGE}
        for one in self._pages("metrics/get-history", request, "metrics", by_query=True):
            yield point(key, one.get("step", 0), one["timestamp"], one["value"])

    def _pages(
        self, path: str, request: Mapping[str, Any], name: str, *, by_query: bool = False
    ) -> Iterator[Any]:
        token = ""
        while True:
            asked = {**request, **({"page_token": token} if token else {})}
            answer = (
                self._calls.ask(f"{path}?{urllib.parse.urlencode(asked)}")
                if by_query
                else self._calls.ask(path, asked)
            )
            yield from answer.get(name, ())
            last, token = token, answer.get("next_page_token", "")
            if not token:
                return
            if token == last:
                raise SourceError(f"its pages of {path} have no end")

    def models(self) -> Iterator[ImportedModel]:
        """See `Source`. Older servers, and others, have none."""
        for experiment_id, name in self._found:
            request = {"experiment_ids": [experiment_id], "max_results": MODELS_PAGE // 2}
            found = self._pages("logged-models/search", request, "models")
            while True:
                try:
                    one = next(found, None)
                    if one is None:
                        break
                    model = model_of(self._calls, one, name, self._source_of, self.left)
                except (SourceError, *ODD_ANSWER) as failure:
                    self._tell_of_models(f"logged models of experiment {name!r}", failure)
                    break
                yield model

    def _source_of(self, run_id: str) -> str:
        return as_run_id(run_id) or f"mlflow {self._uri} {run_id}"

    def registered(self) -> Iterator[ImportedRegistered]:
        """See `Source`. Older servers, and others, have none."""
        try:
            request = {"max_results": MODELS_PAGE}
            versions = list(self._pages("model-versions/search", request, "model_versions", by_query=True))
            models = list(
                self._pages("registered-models/search", request, "registered_models", by_query=True)
            )
            yield from registered_of_answers(models, versions, self.left.add)
        except (SourceError, *ODD_ANSWER) as failure:
            self._tell_of_models("registered models", failure)

    def not_taken(self) -> Iterator[str]:
        """See `Source`."""
        return iter(())

    def _tell_of_models(self, what: str, failure: Exception) -> None:
        if not isinstance(failure, SourceError) or not self._calls.is_unknown(failure):
            self.left.add(f"which {what} there are: {_reason(failure)}")


def _pairs(found: Any) -> dict[str, str]:
    return {str(pair["key"]): str(pair.get("value", "")) for pair in found or ()}


def _input(found: Mapping[str, Any]) -> DatasetInput:
    data = found["dataset"]
    fields = [str(data.get(name, "")) for name in ("name", "digest", "source_type", "source")]
    large = [str(data[name]) if data.get(name) else None for name in ("schema", "profile")]
    return DatasetInput(
        Dataset(*fields, *large), [InputTag(key, value) for key, value in _pairs(found.get("tags")).items()]
    )


def _reason(failure: Exception) -> str:
    return str(failure) if isinstance(failure, SourceError) else f"{type(failure).__name__} {failure}"
