"""Where our server answers otherwise than MLflow's, on purpose: each by name, with its reason and what we answer.

docs/mlflow.md tells users the same under the same names; `test_differential` compares the two.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INVALID, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, slots=True)
class Difference:
    """Some steps that are answered otherwise.

    `steps` are "scenario: step", with `*` for anything. `status` and `error_code` are what we answer. With `fields`,
    JSON may differ only in what stands under these names.
    """

    name: str
    reason: str
    status: int
    error_code: str | None
    steps: Sequence[str]
    fields: frozenset[str] = frozenset()

    def covers(self, scenario: str, step: str) -> str | None:
        """Return which of `steps` names a step."""
        return next((found for found in self.steps if matches(found, f"{scenario}: {step}")), None)

    def allows(self, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
        """Tell whether this is how the answers may differ."""
        if ours["status"] != self.status or code_of(ours) != self.error_code:
            return False
        if self.fields and ours["status"] == theirs["status"]:
            return without(ours.get("json"), self.fields) == without(theirs.get("json"), self.fields)
        return ours["status"] != theirs["status"] or code_of(ours) != code_of(theirs)


CRASHES = "failures"

# What MLflow took in its oldest version that we promise, and refuses in its newest.
STRICTER_NOW = [
    "experiments create: create artifact_location 7 runs:/x",
    "experiments create: create tags *",
    "experiments create: long tag",
    "experiments update: experiments/update new_name=* 501 characters",
    "inputs: search-datasets 1 ['x']",
    "log metric: of a model that is none",
    "metric history: history ?run_id=${run}&metric_key=m&*",
    "search runs: in *",
    "artifact proxy: over a folder",
    "artifact ranges: range *",
    "upload artifact: upload too much",
    "registered models: create *",
    "registered models: get ?name=a%2Fb",
    "model versions: model-versions/create *run_id*",
]


def is_crash(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Tell whether MLflow's server failed where ours understands the request, or says what is wrong with it.

    The difference `CRASHES`: no request makes our server answer 500.
    """
    return theirs["status"] == 500 and ours["status"] in {200, 400, 404}


DIFFERENCES: list[Difference] = [
    Difference(
        "wrong types",
        "MLflow takes a field of a wrong type, or the whole message, for empty; that loses what was meant",
        400,
        INVALID,
        [
            "runs create: runs/create start_time=*",
            "runs create: runs/create user_id=*",
            "runs create: runs/create tags=*",
            "runs update: runs/update status=*",
            "runs update: runs/update end_time=*",
            "inputs: runs/log-inputs datasets=[*",
            "inputs: dataset *=7",
            "log metric: runs/log-metric timestamp=*",
            "log metric: runs/log-metric step=*",
            "metric history: history ?run_id=${run}&metric_key=m&max_results=*",
            "log batch: metrics *",
            'logged models: status "READY"',
            "search runs: view *",
            "search runs: in [*",
            "search runs in pages: max_results *",
            "search runs in pages: page_token *",
            "search experiments: order [null]",
            "search experiments: view *",
            "bodies: search *",
        ],
    ),
    Difference(
        "limits",
        "names and times that could not be stored or found again are refused",
        400,
        INVALID,
        [
            "experiments create: create name *",
            "experiments get: experiments/get-by-name*",
            "runs create: runs/create run_name=*",
            "runs get: get ?run_id=%00",
            'runs update: runs/update run_name=" "',
            'run tags: runs/delete-tag key="/a"',
            "inputs: dataset source_type=xxxxxxxx",
            "history bulk: bulk ?run_id=${run}&metric_key=m&max_results=-1",
            "bodies: create 15 *",
        ],
    ),
    Difference(
        "fields given twice",
        "MLflow's server takes the first one of a query and the last one of JSON; we refuse the query",
        400,
        INVALID,
        ["experiments get: experiments/get #10"],
    ),
    Difference(
        "what is missing",
        "the code of all other missing fields",
        400,
        INVALID,
        [
            "runs create: runs/create without experiment_id",
            "runs create: runs/create experiment_id=null",
            'runs create: runs/create experiment_id=""',
            "runs create: nothing at all",
        ],
    ),
    Difference(
        "numbers as ids",
        "an id of an experiment may be a number in JSON: it is looked for",
        404,
        MISSING,
        [
            f"{scenario} experiment_id=999999"
            for scenario in (
                "experiments update: experiments/update",
                "experiment tags: experiments/set-experiment-tag",
                "experiment tags: experiments/delete-experiment-tag",
                "experiments delete: experiments/delete",
                "experiments delete: experiments/restore",
                "runs create: runs/create",
            )
        ],
    ),
    Difference(
        "artifact locations",
        "are places that this server can use; others are refused when they are named, not when something is logged",
        400,
        INVALID,
        ["experiments create: create artifact_location *"],
    ),
    Difference(
        "ids that no run has",
        "whatever is not the id of a run is a run that does not exist, in every call",
        404,
        MISSING,
        ["inputs: runs/log-inputs run_id=*", "log batch: runs/log-batch run_id=*"],
    ),
    Difference(
        "run_uuid and runId",
        "every call that takes run_id takes its old name, and the form that JSON has in protobuf",
        200,
        None,
        [
            "runs get: get ?runId=${run}",
            "runs delete: runs/delete by the old name",
            "runs delete: runs/restore by the old name",
            "log batch: by the old name",
        ],
    ),
    Difference(
        "run_uuid and runId",
        "what was logged by the old name is there",
        200,
        None,
        ["log batch: in the end"],
        frozenset({"params"}),
    ),
    Difference(
        "names of deleted experiments",
        "are free; a new experiment may have them",
        200,
        None,
        ["experiment life: the name of a deleted one"],
    ),
    Difference(
        "names that are taken",
        "the code that creating has for the same",
        400,
        "RESOURCE_ALREADY_EXISTS",
        ["experiments update: rename to a taken name"],
    ),
    Difference(
        "repeats",
        "deleting what is deleted and restoring what is active succeeds: it is as asked for, maybe by the same call",
        200,
        None,
        ["experiment life: experiments/delete #2", "experiment life: experiments/restore #2"],
    ),
    Difference(
        "runs deleted on their own",
        "stay deleted when their experiment is restored",
        200,
        None,
        ["experiment life: runs/get #3"],
        frozenset({"lifecycle_stage"}),
    ),
    Difference(
        "tags given twice",
        "the last one counts when something is created, as when tags are set",
        200,
        None,
        ["experiments create: a tag twice", "runs create: runs/create tags=*"],
    ),
    Difference(
        "start_time",
        "0, or none, means now",
        200,
        None,
        [
            "runs create: runs/create without start_time",
            "runs create: runs/create start_time=*",
            "runs create: unknown fields",
            "runs create: camel case",
        ],
        frozenset({"start_time"}),
    ),
    Difference(
        "data sets",
        "need a name and a digest",
        400,
        INVALID,
        ["inputs: dataset name=*", "inputs: dataset digest=*"],
    ),
    Difference(
        "data sets",
        "so those without are not there",
        200,
        None,
        ["inputs: runs/get"],
        frozenset({"dataset_inputs"}),
    ),
    Difference(
        "log-model",
        "the description is kept as it was sent",
        200,
        None,
        ["log model: runs/get"],
        frozenset({"tags"}),
    ),
    Difference(
        "model_id",
        "a point may say something of a logged model that arrives later; it is one of the run in any case",
        200,
        None,
        ["log metric: of a model that is none"],
    ),
    Difference(
        "NaN and infinities",
        "stay what they are; MLflow makes infinities 1.797e308, and 0 at time 0 of what JSON has as a bare word",
        200,
        None,
        ["metric values: read *", "metric values: runs/get", "log metric: metrics/get-history"],
        frozenset({"metrics"}),
    ),
    Difference(
        "order of NaN",
        "NaN is greater than every number of its step and time; in MLflow it counts as 0",
        200,
        None,
        [
            "latest metric: latest after *",
            "latest metric: steps of 64 bits",
            "latest metric: metrics/get-history",
        ],
        frozenset({"metrics"}),
    ),
    Difference(
        "searches can more",
        "docs/search.md: OR, NOT, brackets, all comparisons of all fields",
        200,
        None,
        [
            "search runs: filter *",
            "search experiments: filter *",
            'search experiments: order ["tags.team"]',
            "registry searches: models name+%3E+%27x%27*",
        ],
    ),
    Difference(
        "runs of versions",
        "the source says which run it is, so that the request need not; MLflow 3 refuses that, MLflow 2 took it",
        200,
        None,
        ["model versions: model-versions/create *run_id*"],
    ),
    Difference(
        "runs of versions",
        "so there are more versions, and the next number is another",
        200,
        None,
        [
            "model versions: after a deleted one",
            "registry searches: models ",
            "registry searches: models &order_by=name+DESC",
        ],
        # Which models there are depends on the scenarios that the server has seen.
        frozenset({"version", "registered_models"}),
    ),
    Difference(
        "max_results of registered models",
        "is at least 1; MLflow takes less, and answers with nothing and a token for the same",
        400,
        INVALID,
        ["registry searches: registered-models/search 0", "registry searches: registered-models/search -1"],
    ),
    Difference(
        "searches say what is wrong",
        "MLflow passes over some mistakes and finds something else",
        400,
        INVALID,
        ["search runs: filter *"],
    ),
    Difference(
        "max_results of experiments",
        "is 1,000 unless it is given",
        200,
        None,
        [
            "search experiments: max_results null",
            "search experiments: without max_results",
            "search experiments: GET without max_results",
        ],
    ),
    Difference(
        "artifact paths",
        "are plain relative ones that every store can hold; all others are refused, also to read and to delete",
        400,
        INVALID,
        [
            "artifact paths: *",
            "artifacts list: list path=*",
            "get artifact: get path=*",
            "artifact proxy: get folder",
        ],
    ),
    Difference(
        "artifact paths",
        "are decoded once; what looks like an escape after that is part of a name, and cannot lead anywhere",
        200,
        None,
        ["artifact paths: * %252e%252e/x", "artifact paths: * a%23b", "artifacts list: list path=*"],
    ),
    Difference(
        "artifact paths",
        "(the same, of an artifact that is not there)",
        404,
        MISSING,
        ["get artifact: get path=*", "artifact paths: get at the root *"],
    ),
    Difference(
        "artifacts of runs",
        "the proxy lists what runs have, and nothing above that",
        200,
        None,
        [f"artifact proxy: list {path}" for path in ("", "${experiment}", "${experiment}/${run}")],
        frozenset({"files"}),
    ),
    Difference(
        "artifacts of deleted runs",
        "can be read and removed, but none are added",
        400,
        INVALID,
        ["artifact proxy: to a deleted run"],
    ),
    Difference(
        "get-artifact",
        "is also below /ajax-api, where MLflow 2 has it",
        200,
        None,
        ["get artifact: /ajax-api/*"],
    ),
    Difference(
        "get-artifact",
        "(the same, with what is wrong)",
        400,
        INVALID,
        ["get artifact: /ajax-api/*"],
    ),
    Difference(
        "ranges",
        "several at once, and other units, are answered with the whole",
        200,
        None,
        [
            "artifact ranges: range bytes=0-1,4-5",
            "artifact ranges: range bytes=0-3,20-30",
            "artifact ranges: range items=0-3",
        ],
    ),
    Difference(
        "content types",
        "capital letters don't matter",
        200,
        None,
        ["content types: content type APPLICATION/JSON"],
    ),
    Difference(
        "HEAD",
        "is answered wherever GET is",
        200,
        None,
        ["routes: HEAD *"],
    ),
    Difference(
        "OPTIONS",
        "are answered to pages that --allowed-origins names, and to nobody else",
        405,
        "BAD_REQUEST",
        ["routes: OPTIONS *"],
    ),
    Difference(
        "slashes",
        "of a path are not mended",
        404,
        "ENDPOINT_NOT_FOUND",
        ["routes: GET /api/2.0/mlflow//*"],
    ),
    Difference(
        "made-up names",
        "of models are words in MLflow, and letters here; so they stand elsewhere in the order of names",
        200,
        None,
        ['logged models: search {"experiment_ids": ["${experim… 75 characters'],
        frozenset({"models"}),
    ),
    Difference(
        "params of models",
        "that would change have the code of those of runs",
        400,
        INVALID,
        ['logged models: params [{"key": "p", "value": "9"}]'],
    ),
    Difference(
        "server-info",
        "names what there is here",
        200,
        None,
        ["routes: GET /api/3.0/mlflow/server-info"],
        frozenset(
            {
                "features_enabled",
                "multipart_downloads_enabled",
                "multipart_uploads_enabled",
                "presigned_upload_model_id_supported",
                "presigned_upload_run_id_supported",
            }
        ),
    ),
]


def code_of(answer: Mapping[str, Any]) -> str | None:
    """Return the error code of an answer."""
    content = answer.get("json")
    return content.get("error_code") if isinstance(content, Mapping) else None


def without(content: Any, fields: frozenset[str]) -> Any:
    """Return JSON without what stands under some names."""
    if isinstance(content, Mapping):
        return {key: without(value, fields) for key, value in content.items() if key not in fields}
    if isinstance(content, list):
        return [without(value, fields) for value in content]
    return content


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text is what a pattern with `*` describes."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
