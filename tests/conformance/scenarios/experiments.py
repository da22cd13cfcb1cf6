"""Experiments: created, read, changed, deleted, restored."""

from tests.conformance.scenarios.odds import EXPERIMENT_IDS, KEYS, LISTS, STRINGS, UNICODE
from tests.conformance.steps import Scenario, Steps, odd


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("experiment life", _life().all),
        Scenario("experiments create", _create().all),
        Scenario("experiments get", _get().all),
        Scenario("experiments update", _update().all),
        Scenario("experiment tags", _tags().all),
        Scenario("experiments delete", _delete().all),
    ]


def _life() -> Steps:
    steps = Steps()
    steps.experiment(tags=[{"key": "team", "value": "blue"}])
    steps.get("experiments/get", "experiment_id=${experiment}")
    steps.get("experiments/get-by-name", "experiment_name=conformance+experiment+life+experiment")
    steps.experiment_again()
    steps.run()
    steps.run("other")
    steps.post("runs/delete", {"run_id": "${other}"})
    steps.post("experiments/delete", {"experiment_id": "${experiment}"})
    steps.post("experiments/delete", {"experiment_id": "${experiment}"})
    steps.get("experiments/get", "experiment_id=${experiment}")
    steps.get("experiments/get-by-name", "experiment_name=conformance+experiment+life+experiment")
    steps.get("runs/get", "run_id=${run}")
    steps.post("experiments/update", {"experiment_id": "${experiment}", "new_name": "${unique} deleted"})
    steps.post("experiments/set-experiment-tag", {"experiment_id": "${experiment}", "key": "a", "value": "b"})
    steps.post("experiments/delete-experiment-tag", {"experiment_id": "${experiment}", "key": "team"})
    steps.run("third")
    steps.post("experiments/restore", {"experiment_id": "${experiment}"})
    steps.post("experiments/restore", {"experiment_id": "${experiment}"})
    steps.get("experiments/get", "experiment_id=${experiment}")
    steps.get("runs/get", "run_id=${run}")
    steps.get("runs/get", "run_id=${other}")
    steps.post("experiments/update", {"experiment_id": "${experiment}", "new_name": "${unique} renamed"})
    steps.get("experiments/get", "experiment_id=${experiment}")
    steps.get("experiments/get", "experiment_id=0", "the default one")
    steps.experiment("short")
    steps.post("experiments/delete", {"experiment_id": "${short}"})
    steps.post("experiments/create", {"name": "${unique} short"}, "the name of a deleted one")
    return steps


def _create() -> Steps:
    steps = Steps()
    good = {"name": "${unique} good"}
    steps.post("experiments/create", good)
    odds = {
        "name": [*STRINGS, *UNICODE, "x" * 500, "x" * 501, "a/b", "a'b;--"],
        "artifact_location": [
            None,
            "",
            7,
            [],
            "relative",
            "s3://bucket/a?b=c",
            "s3://bucket/a#b",
            "runs:/x",
            "x" * 2_049,
        ],
        "tags": [*LISTS, [{"key": "a"}], [{"value": "b"}], [{"key": "", "value": "x"}], {"a": "b"}, "a=b"],
    }
    for number, (key, values) in enumerate(odds.items()):
        for place, value in enumerate(values):
            name = {} if key == "name" else {"name": f"${{unique}} {number} {place}"}
            steps.post("experiments/create", {**name, key: value}, f"create {key} {place} {str(value)[:20]}")
    steps.post(
        "experiments/create",
        {"name": "${unique} twice", "tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]},
        "a tag twice",
    )
    steps.post("experiments/create", {"name": "${unique} more", "unknown": {"deep": [1]}}, "unknown field")
    steps.post(
        "experiments/create",
        {"name": "${unique} long", "tags": [{"key": "k", "value": "v" * 20_001}]},
        "long tag",
    )
    return steps


def _get() -> Steps:
    steps = Steps()
    steps.experiment()
    for value in [
        "",
        "x",
        "999999",
        "-1",
        "0.5",
        "1" * 70,
        str(2**63),
        "%00",
        "%C3%BC",
        "0&experiment_id=999999",
    ]:
        steps.get("experiments/get", f"experiment_id={value}")
    steps.get("experiments/get", "", "get without")
    steps.get("experiments/get", "experiment_id=${experiment}&more=1", "get with more")
    for value in ["", "no+such", "x" * 600, "%C3%BC%E2%98%83", "%00"]:
        steps.get("experiments/get-by-name", f"experiment_name={value}")
    steps.get("experiments/get-by-name", "", "by name without")
    steps.add(
        "POST", "/api/2.0/mlflow/experiments/get", '{"experiment_id": "${experiment}"}', name="POST to get"
    )
    steps.add("GET", "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0", name="ajax")
    return steps


def _update() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.experiment("taken")
    good = {"experiment_id": "${experiment}", "new_name": "${unique} new"}
    steps.post("experiments/update", good)
    odd(
        steps,
        "experiments/update",
        good,
        {
            # Names that no other scenario takes: with UNICODE itself it would depend on which of them came before.
            "new_name": [*STRINGS, *(f"renamed {name}" for name in UNICODE), "x" * 501],
            "experiment_id": EXPERIMENT_IDS,
        },
    )
    steps.post("experiments/update", {**good, "new_name": "${unique} taken"}, "rename to a taken name")
    steps.post("experiments/update", good, "rename back")
    steps.post("experiments/update", good, "rename to its own name")
    steps.get("experiments/get", "experiment_id=${experiment}")
    return steps


def _tags() -> Steps:
    steps = Steps()
    steps.experiment()
    good = {"experiment_id": "${experiment}", "key": "a", "value": "b"}
    steps.post("experiments/set-experiment-tag", good)
    odds = {
        "experiment_id": EXPERIMENT_IDS,
        "key": [*STRINGS, *UNICODE, *KEYS],
        "value": [*STRINGS, *UNICODE, "v" * 20_000, "v" * 20_001],
    }
    odd(steps, "experiments/set-experiment-tag", good, odds)
    steps.get("experiments/get", "experiment_id=${experiment}")
    gone = {"experiment_id": "${experiment}", "key": "a"}
    steps.post("experiments/delete-experiment-tag", gone)
    steps.post("experiments/delete-experiment-tag", gone)
    odd(steps, "experiments/delete-experiment-tag", gone, {"experiment_id": EXPERIMENT_IDS, "key": STRINGS})
    return steps


def _delete() -> Steps:
    steps = Steps()
    steps.experiment()
    for route in ("experiments/delete", "experiments/restore"):
        odd(steps, route, {"experiment_id": "${experiment}"}, {"experiment_id": EXPERIMENT_IDS})
    return steps
