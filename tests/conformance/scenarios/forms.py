"""How requests are written: bodies, content types, methods, routes that are none."""

import json

from tests.conformance.steps import API, Scenario, Steps

CREATE = f"{API}/experiments/create"


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("bodies", _bodies().all),
        Scenario("content types", _types().all),
        Scenario("routes", _routes().all),
    ]


def _bodies() -> Steps:
    steps = Steps()
    bodies = [
        "",
        "{}",
        "[]",
        "null",
        "7",
        "true",
        '"text"',
        "{",
        "not json",
        '{"name": ',
        '{"name": "${unique} a"} trailing',
        '{"name": "${unique} twice", "name": "${unique} again"}',
        json.dumps('{"name": "${unique} encoded twice"}'),
        '{"name": "${unique} nan", "x": NaN}',
        '{"name": "${unique} comment" /* no */}',
        '{"name": "\\u0000"}',
        '{"name": "\\ud800"}',
        "\ufeff{}",
        '{"Name": "${unique} capital"}',
        "[" * 1_000 + "]" * 1_000,
    ]
    for number, body in enumerate(bodies):
        steps.add("POST", CREATE, body, name=f"create {number} {body[:40]!r}")
    for number, body in enumerate(bodies[:10]):
        steps.add("POST", f"{API}/runs/search", body, name=f"search {number} {body[:40]!r}")
    return steps


def _types() -> Steps:
    steps = Steps()
    kinds = [
        None,
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "",
        "application/xml",
        "text/json",
        "application/vnd.api+json",
        "nonsense",
    ]
    for number, kind in enumerate(kinds):
        headers = {} if kind is None else {"Content-Type": kind}
        body = json.dumps({"name": f"${{unique}} {number}"})
        steps.add("POST", CREATE, body, name=f"content type {kind}", headers=headers)
    steps.add(
        "POST",
        CREATE,
        "name=${unique}",
        name="a form",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    steps.add("POST", f"{CREATE}?name=in+the+query", "{}", name="in the query")
    steps.add("GET", f"{API}/experiments/get", '{"experiment_id": "0"}', name="GET with a body")
    steps.add("GET", f"{API}/experiments/get?experiment_id=0", '{"experiment_id": "1"}', name="GET with both")
    return steps


def _routes() -> Steps:
    steps = Steps()
    for method, path in [
        ("GET", f"{API}/unknown"),
        ("GET", f"{API}/"),
        ("GET", "/api/2.0"),
        ("GET", "/api/3.0/mlflow/unknown"),
        ("POST", f"{API}/unknown"),
        ("GET", "/nothing/here"),
        ("GET", f"{API}/experiments/create"),
        ("DELETE", CREATE),
        ("PUT", CREATE),
        ("PATCH", f"{API}/runs/update"),
        ("POST", f"{API}/runs/get"),
        ("GET", f"{API}/runs/search"),
        ("POST", f"{API}/runs/create/"),
        ("GET", f"{API}//experiments/get?experiment_id=0"),
        ("GET", "/health"),
        ("OPTIONS", CREATE),
        ("HEAD", f"{API}/experiments/get?experiment_id=0"),
    ]:
        body = "{}" if method in {"POST", "PUT", "PATCH", "DELETE"} else None
        steps.add(method, path, body, name=f"{method} {path}")
    for method, path in [("GET", "/api/3.0/mlflow/server-info")]:
        steps.add(method, path, name=f"{method} {path}")
    return steps
