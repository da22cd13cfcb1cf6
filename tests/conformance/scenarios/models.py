"""Logged models and the registry: created, changed, searched, moved between stages, deleted."""

from typing import Any

from tests.conformance.scenarios.odds import KEYS, STRINGS, UNICODE
from tests.conformance.steps import API, Scenario, Steps, odd, shown

STAGES: list[Any] = ["None", "Staging", "staging", "Production", "Archived", "Nowhere", "", None, 7]
ALIASES: list[Any] = [
    "champion",
    "a-b_c",
    "latest",
    "LATEST",
    "v1",
    "V12",
    "a b",
    "a/b",
    "a" * 255,
    "a" * 256,
    "",
    None,
    7,
]
MODEL_NAMES: list[Any] = [*STRINGS, *UNICODE, "a/b", "a:b", "a" * 256, "a" * 257]


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("registered models", _registered().all),
        Scenario("model versions", _versions().all),
        Scenario("model stages and aliases", _stages().all),
        Scenario("registry searches", _searches().all),
        Scenario("logged models", _logged().all),
    ]


def send(steps: Steps, method: str, route: str, content: str, name: str = "", **save: str) -> None:
    """Send JSON by any method."""
    headers = {"Content-Type": "application/json"}
    steps.add(method, f"{API}/{route}", content, name=name or f"{method} {route}", headers=headers, save=save)


def _registered() -> Steps:
    steps = Steps()
    good = {"name": "${unique} m", "description": "d", "tags": [{"key": "a", "value": "b"}]}
    steps.post("registered-models/create", good)
    steps.post("registered-models/create", good, "again")
    named = "name=conformance+registered+models+m"
    steps.get("registered-models/get", named)
    for value in MODEL_NAMES:
        steps.post("registered-models/create", {"name": value}, f"create {shown(value)}")
    for query in ["", "name=", "name=none", "name=a%2Fb"]:
        steps.get("registered-models/get", query, f"get ?{query}")
    for content in [
        '{"name": "${unique} m", "description": "e"}',
        '{"name": "none", "description": "e"}',
        '{"name": "${unique} m"}',
        "{}",
    ]:
        send(steps, "PATCH", "registered-models/update", content, f"update {content}")
    tag = {"name": "${unique} m", "key": "t", "value": "v"}
    odd(
        steps,
        "registered-models/set-tag",
        tag,
        {"name": ["none", "", None], "key": [*STRINGS, *KEYS], "value": [*STRINGS, "v" * 100_001]},
    )
    for content in [
        '{"name": "${unique} m", "key": "t"}',
        '{"name": "${unique} m", "key": "none"}',
        '{"name": "none", "key": "t"}',
        "{}",
    ]:
        send(steps, "DELETE", "registered-models/delete-tag", content, f"delete tag {content}")
    steps.get("registered-models/get", named, "with tags")
    steps.post("registered-models/create", {"name": "${unique} taken"})
    for name, new in [
        ("${unique} m", "${unique} taken"),
        ("none", "x"),
        ("${unique} m", ""),
        ("${unique} m", "a/b"),
        ("${unique} m", "${unique} renamed"),
    ]:
        steps.post("registered-models/rename", {"name": name, "new_name": new}, f"rename {name} to {new}")
    steps.get("registered-models/get", named, "by the old name")
    for name in ["${unique} renamed", "${unique} renamed", "none", ""]:
        send(steps, "DELETE", "registered-models/delete", f'{{"name": "{name}"}}', f"delete {name}")
    return steps


def _started() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    steps.post("registered-models/create", {"name": "${unique} m"})
    return steps


def _versions() -> Steps:
    steps = _started()
    source = "mlflow-artifacts:/${experiment}/${run}/artifacts/model"
    good = {
        "name": "${unique} m",
        "source": source,
        "run_id": "${run}",
        "description": "d",
        "tags": [{"key": "a", "value": "b"}],
    }
    steps.post("model-versions/create", good)
    steps.post("model-versions/create", good, "the second")
    odds = {
        "name": ["none", "", None, 7],
        "source": [
            "",
            None,
            7,
            "../x",
            "/etc/passwd",
            "file:///etc/passwd",
            "s3://bucket/m",
            "mlflow-artifacts:/${experiment}/../x",
            "models:/none/1",
            "runs:/${run}/model",
        ],
        "run_id": ["", None, "0" * 32, 7],
    }
    odd(steps, "model-versions/create", good, odds)
    model = "name=conformance+model+versions+m"
    for query in [
        f"{model}&version=1",
        f"{model}&version=99",
        f"{model}&version=x",
        f"{model}&version=",
        model,
        "name=none&version=1",
        "",
    ]:
        steps.get("model-versions/get", query, f"get ?{query}")
        steps.get("model-versions/get-download-uri", query, f"uri ?{query}")
    for content in [
        '{"name": "${unique} m", "version": "1", "description": "e"}',
        '{"name": "${unique} m", "version": "99", "description": "e"}',
        '{"name": "${unique} m"}',
        "{}",
    ]:
        send(steps, "PATCH", "model-versions/update", content, f"update {content}")
    tag = {"name": "${unique} m", "version": "1", "key": "t", "value": "v"}
    odd(
        steps,
        "model-versions/set-tag",
        tag,
        {"name": ["none", ""], "version": ["99", "x", "", 1], "key": STRINGS, "value": STRINGS},
    )
    for content in [
        '{"name": "${unique} m", "version": "1", "key": "t"}',
        '{"name": "${unique} m", "version": "1", "key": "none"}',
        "{}",
    ]:
        send(steps, "DELETE", "model-versions/delete-tag", content, f"delete tag {content}")
    steps.get("model-versions/get", f"{model}&version=1", "with tags")
    for version in ["2", "2", "99", "x"]:
        send(
            steps,
            "DELETE",
            "model-versions/delete",
            f'{{"name": "${{unique}} m", "version": "{version}"}}',
            f"delete {version}",
        )
    steps.get("model-versions/get", f"{model}&version=2", "a deleted one")
    steps.post("model-versions/create", good, "after a deleted one")
    return steps


def _stages() -> Steps:
    steps = _started()
    for _ in range(3):
        steps.post("model-versions/create", {"name": "${unique} m", "source": "s3://bucket/m"})
    model = "name=conformance+model+stages+and+aliases+m"
    move = {"name": "${unique} m", "version": "1", "stage": "Staging", "archive_existing_versions": False}
    steps.post("model-versions/transition-stage", move)
    for stage in STAGES:
        steps.post(
            "model-versions/transition-stage",
            {**move, "version": "2", "stage": stage},
            f"stage {shown(stage)}",
        )
    for content in [
        {**move, "version": "3", "archive_existing_versions": True},
        {**move, "version": "99"},
        {**move, "name": "none"},
        {**move, "stage": "None", "archive_existing_versions": True},
        {},
    ]:
        steps.post("model-versions/transition-stage", content, f"transition {shown(content)}")
    for stages in [None, [], ["Staging"], ["staging", "None"], ["Nowhere"], "Staging"]:
        steps.post(
            "registered-models/get-latest-versions",
            {"name": "${unique} m", "stages": stages},
            f"latest {shown(stages)}",
        )
    steps.get("registered-models/get-latest-versions", model)
    steps.get("registered-models/get-latest-versions", "name=none", "latest of none")
    for alias in ALIASES:
        steps.post(
            "registered-models/alias",
            {"name": "${unique} m", "alias": alias, "version": "1"},
            f"alias {shown(alias)}",
        )
    steps.post(
        "registered-models/alias", {"name": "${unique} m", "alias": "champion", "version": "2"}, "alias moved"
    )
    steps.post(
        "registered-models/alias",
        {"name": "${unique} m", "alias": "champion", "version": "99"},
        "alias of none",
    )
    for query in [
        f"{model}&alias=champion",
        f"{model}&alias=none",
        f"{model}&alias=latest",
        "name=none&alias=champion",
        model,
    ]:
        steps.get("registered-models/alias", query, f"get alias ?{query}")
    steps.get("registered-models/get", model, "with aliases")
    for alias in ["champion", "champion", "none"]:
        send(
            steps,
            "DELETE",
            "registered-models/alias",
            f'{{"name": "${{unique}} m", "alias": "{alias}"}}',
            f"delete alias {alias}",
        )
    return steps


def _searches() -> Steps:
    steps = _started()
    for letter in "abc":
        tags = [{"key": "team", "value": "red" if letter < "c" else "blue"}]
        steps.post("registered-models/create", {"name": f"${{unique}} {letter}", "tags": tags})
        steps.post(
            "model-versions/create",
            {
                "name": f"${{unique}} {letter}",
                "source": f"s3://bucket/{letter}",
                "run_id": "${run}",
                "tags": tags,
            },
        )
    quoted = "conformance+registry+searches"
    ours = f"name+LIKE+%27{quoted}%25%27"
    for text in [
        ours,
        f"name+%3D+%27{quoted}+a%27",
        f"name+ILIKE+%27{quoted.upper()}+B%27",
        f"{ours}+AND+tags.team+%3D+%27red%27",
        "unknown+%3D+%27x%27",
        "name",
        "name+%3E+%27x%27",
        "",
    ]:
        for order in ["", "&order_by=name+DESC", "&order_by=unknown"]:
            steps.get(
                "registered-models/search", f"filter={text}{order}&max_results=100", f"models {text}{order}"
            )
    for text in [
        f"name+%3D+%27{quoted}+a%27",
        "run_id+%3D+%27${run}%27",
        "source_path+%3D+%27s3%3A%2F%2Fbucket%2Fa%27",
        "run_id+%3D+%27${run}%27+AND+tags.team+%3D+%27red%27",
        "unknown+%3D+%27x%27",
        "version_number+%3D+1+AND+run_id+%3D+%27${run}%27",
        "name",
    ]:
        steps.get("model-versions/search", f"filter={text}&order_by=name&max_results=100", f"versions {text}")
    for size in ["0", "-1", "x", "1000", "1001", "200000", "200001"]:
        for route in ("registered-models/search", "model-versions/search"):
            steps.get(route, f"filter=name+%3D+%27{quoted}+a%27&max_results={size}", f"{route} {size}")
    steps.get(
        "registered-models/search",
        f"filter={ours}&max_results=2&order_by=name",
        "first page",
        token="next_page_token",
    )
    steps.get(
        "registered-models/search",
        f"filter={ours}&max_results=2&order_by=name&page_token=${{token}}",
        "second page",
    )
    return steps


def _logged() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    good = {
        "experiment_id": "${experiment}",
        "name": "m",
        "model_type": "t",
        "source_run_id": "${run}",
        "params": [{"key": "p", "value": "1"}],
        "tags": [{"key": "t", "value": "1"}],
    }
    steps.post("logged-models", good, model="model.info.model_id")
    steps.get("logged-models/${model}")
    steps.get("logged-models/m-none")
    odd(
        steps,
        "logged-models",
        good,
        {
            "experiment_id": ["999999", "x", "", None],
            "name": ["a/b", "a:b", "", " ", None, 7],
            "source_run_id": ["0" * 32, "", None],
            "params": [[{"key": "", "value": "1"}], "x"],
            "tags": [[{"key": "", "value": "1"}], "x"],
        },
    )
    for status in [
        "LOGGED_MODEL_READY",
        "LOGGED_MODEL_UPLOAD_FAILED",
        "LOGGED_MODEL_PENDING",
        "READY",
        "",
        2,
    ]:
        send(
            steps,
            "PATCH",
            "logged-models/${model}",
            f'{{"model_id": "${{model}}", "status": {shown(status)}}}',
            f"status {shown(status)}",
        )
    for params in [
        [{"key": "q", "value": "2"}],
        [{"key": "p", "value": "9"}],
        [{"key": "/a", "value": "1"}],
        [],
        "x",
    ]:
        steps.post(
            "logged-models/${model}/params",
            {"model_id": "${model}", "params": params},
            f"params {shown(params)}",
        )
    for tags in ['[{"key": "u", "value": "2"}]', '[{"key": "t", "value": "9"}]', "[]", '"x"']:
        send(
            steps,
            "PATCH",
            "logged-models/${model}/tags",
            f'{{"model_id": "${{model}}", "tags": {tags}}}',
            f"tags {tags}",
        )
    for key in ["u", "u", "none"]:
        steps.add("DELETE", f"{API}/logged-models/${{model}}/tags/{key}", name=f"delete tag {key}")
    point = {"run_id": "${run}", "key": "m", "value": 1, "timestamp": 1, "model_id": "${model}"}
    steps.post("runs/log-metric", point, "a metric of it")
    steps.post("runs/log-inputs", {"run_id": "${run}", "models": [{"model_id": "${model}"}]}, "as an input")
    steps.post("runs/outputs", {"run_id": "${run}", "models": [{"model_id": "${model}", "step": 3}]})
    steps.get("runs/get", "run_id=${run}", "the run of it")
    steps.get("logged-models/${model}", name="in the end")
    where: dict[str, Any] = {"experiment_ids": ["${experiment}"]}
    for content in [
        where,
        {**where, "filter": "name = 'm'"},
        {**where, "filter": "metrics.m > 0"},
        {**where, "filter": "params.p = '1'"},
        {**where, "filter": "unknown = 'x'"},
        {**where, "order_by": [{"field_name": "name"}]},
        {**where, "max_results": 1},
        {**where, "max_results": 0},
        {"experiment_ids": []},
        {},
    ]:
        steps.post("logged-models/search", content, f"search {shown(content)}")
    for number in range(2):
        steps.add("DELETE", f"{API}/logged-models/${{model}}", name=f"delete {number}")
    steps.get("logged-models/${model}", name="a deleted one")
    return steps
