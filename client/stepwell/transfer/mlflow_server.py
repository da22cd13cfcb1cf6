"""Runs of MLflow's server, through its REST API.

MLflow keeps the infinities as plus or minus 1.7976931348623157e308, which are taken for infinities again.
"""

import base64
import http.client
import json
import math
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stepwell import settings
from stepwell.errors import StepwellException
from stepwell.transfer.artifact_sources import ServerArtifacts
from stepwell.transfer.sources import ImportedExperiment, ImportedRun, PointColumns, columns

# Points that go on together: 20 MB as Python objects.
ROWS_AT_ONCE = 100_000
# What MLflow's server gives at once.
RUNS_PAGE = 1_000
POINTS_PAGE = 25_000
HTTP_TIMEOUT_S = 120.0


class MlflowServer:
    """A tracking server, through its REST API; MLFLOW_TRACKING_USERNAME and the like say who asks."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        for experiment in self._experiments():
            tags = {tag["key"]: tag["value"] for tag in experiment.get("tags", ())}
            yield ImportedExperiment(experiment["name"], tags)

    def _experiments(self) -> Iterator[Any]:
        return self._pages("experiments/search", {"max_results": RUNS_PAGE}, "experiments")

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for experiment in self._experiments():
            request = {"experiment_ids": [experiment["experiment_id"]], "max_results": RUNS_PAGE}
            for run in self._pages("runs/search", request, "runs"):
                yield self._run(run["info"], run.get("data", {}), experiment["name"])

    def _run(self, info: Mapping[str, Any], data: Mapping[str, Any], experiment: str) -> ImportedRun:
        keys = sorted(metric["key"] for metric in data.get("metrics", ()))
        return ImportedRun(
            source_id=info["run_id"],
            experiment=experiment,
            name=info.get("run_name", ""),
            status=info["status"],
            start_time_ms=int(info.get("start_time", 0)),
            end_time_ms=int(info["end_time"]) if info.get("end_time") else None,
            points=lambda: self._points(info["run_id"], keys),
            user=info.get("user_id", ""),
            params={param["key"]: param["value"] for param in data.get("params", ())},
            tags={tag["key"]: tag["value"] for tag in data.get("tags", ())},
            artifacts=ServerArtifacts(
                info["run_id"],
                lambda request: self._call(f"artifacts/list?{urllib.parse.urlencode(request)}", None),
                lambda path, file: self._fetch(info["run_id"], path, file),
            ),
        )

    def _points(self, run_id: str, keys: list[str]) -> Iterator[PointColumns]:
        """In order of (timestamp, key, step, value), as from the database, so that new points come last."""
        rows = [
            (key, int(point.get("step", 0)), int(point["timestamp"]), restored(float(point["value"])))
            for key in keys
            for point in self._history(run_id, key)
        ]
        rows.sort(key=lambda row: (row[2], row[0], row[1], math.isnan(row[3]), row[3]))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            yield columns(rows[start : start + ROWS_AT_ONCE])

    def _history(self, run_id: str, key: str) -> Iterator[Mapping[str, Any]]:
        request = {"run_id": run_id, "metric_key": key, "max_results": POINTS_PAGE}
        token = ""
        while True:
            query = urllib.parse.urlencode({**request, **({"page_token": token} if token else {})})
            answer = self._call(f"metrics/get-history?{query}", None)
            yield from answer.get("metrics", ())
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _pages(self, path: str, request: Mapping[str, Any], name: str) -> Iterator[Any]:
        token = ""
        while True:
            answer = self._call(path, {**request, **({"page_token": token} if token else {})})
            yield from answer.get(name, ())
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _call(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with self._opened(f"api/2.0/mlflow/{path}", data) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _fetch(self, run_id: str, path: str, file: Path) -> None:
        """Fetch an artifact by the address from which MLflow's pages download it."""
        query = urllib.parse.urlencode({"path": path, "run_uuid": run_id})
        with self._opened(f"get-artifact?{query}", None) as answer, file.open("wb") as target:
            shutil.copyfileobj(answer, target)

    @contextmanager
    def _opened(self, path: str, data: bytes | None) -> Iterator[Any]:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self._uri}/{path}", data=data, headers={"Content-Type": "application/json", **_authorization()}
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310
                yield answer
        except (OSError, http.client.HTTPException) as failure:
            raise StepwellException(
                f"MLflow's server {self._uri} did not answer {path.partition('?')[0]}: {failure}.",
                "TEMPORARILY_UNAVAILABLE",
            ) from None


def _authorization() -> dict[str, str]:
    """Return the header that says who asks, from the variables that MLflow's client reads."""
    name, password, token = settings.mlflow_credentials()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if name:
        return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}
    return {}


def restored(value: float | None) -> float:
    """Return a value as it was logged; None is NaN, and the largest numbers are the infinities."""
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value
