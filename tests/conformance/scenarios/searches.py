"""Searches of runs and experiments: filters, orders, pages."""

from typing import Any

from tests.conformance.scenarios.odds import INTEGERS, LISTS
from tests.conformance.steps import Scenario, Steps, shown

GOOD_FILTERS = [
    "metrics.loss < 0.5",
    "metrics.loss <= 0.5",
    "metric.loss = 0.5",
    "metrics.loss != 0.5",
    "metrics.loss > -1e3",
    "metrics.`a b` > 0",
    'metrics."a b" > 0',
    "metrics.nan > 0",
    "metrics.nan != 0",
    "params.lr = '0.1'",
    'params.lr = "0.1"',
    "param.lr != '0.1'",
    "parameters.lr LIKE '0.%'",
    "params.Name ILIKE 'ADA%'",
    "params.lr IS NULL",
    "params.lr IS NOT NULL",
    "tags.team = 'red'",
    "tag.team != 'red'",
    "tags.`mlflow.runName` LIKE 'run%'",
    "tags.team IS NULL",
    "tags.team IS NOT NULL",
    "attributes.status = 'FINISHED'",
    "status = 'RUNNING'",
    "attribute.status != 'FINISHED'",
    "attr.run_name = 'run 1'",
    "run_name LIKE 'run%'",
    "run.run_name ILIKE 'RUN%'",
    "attributes.start_time > 0",
    "start_time >= 1700000000001",
    "attributes.end_time > 0",
    "attributes.run_id IN ('${run1}', '${run2}')",
    "run_id NOT IN ('${run1}')",
    "attributes.run_id = '${run1}'",
    "run_id LIKE '${run1}'",
    "user_id = 'ada'",
    "attributes.artifact_uri LIKE '%artifacts'",
    "metrics.loss < 1 AND params.lr = '0.1'",
    "metrics.loss < 1 and tags.team = 'red' and status = 'FINISHED'",
    "",
    "  ",
    "datasets.name = 'd'",
    "dataset.digest LIKE '1%'",
    "datasets.context IN ('train')",
    "attributes.created > 0",
    "attributes.Created > 0",
    "attributes.\"Run name\" = 'run 1'",
    "attributes.`run name` = 'run 1'",
    "params.empty = ''",
    'tags.quote = "it\'s"',
    "tags.quote = 'it\"s'",
    "params.lr = '0.1';",
]
BAD_FILTERS = [
    "metrics.loss",
    "metrics.loss <",
    "metrics.loss < 'x'",
    "metrics.loss = x",
    "params.lr = 0.1",
    "params.lr > '0.1'",
    "tags.team < 'a'",
    "metrics.loss LIKE '1'",
    "unknown.loss = 1",
    "attributes.unknown = 'x'",
    "loss = 1",
    "= 1",
    "metrics.loss < 1 OR metrics.loss > 2",
    "(metrics.loss < 1)",
    "metrics.loss < 1 AND",
    "AND",
    "status IN ('FINISHED')",
    "attributes.run_id IN ()",
    "attributes.run_id IN ('a', 1)",
    "params.lr IN ('0.1')",
    "start_time > 'x'",
    "start_time LIKE '1'",
    "metrics.loss IS NULL",
    "params.lr = 'open",
    "params.`open = 'x'",
    "params.lr == '0.1'",
    "metrics.loss < 1; DROP TABLE runs",
    "metrics.loss < 1 metrics.loss > 0",
    "NOT params.lr = '0.1'",
    "params.lr NOT LIKE '0.1'",
    "metrics.loss BETWEEN 0 AND 1",
    "datasets.unknown = 'x'",
    "datasets.name > 'x'",
    "run_id > 'x'",
    "'0.1' = params.lr",
    "1 < metrics.loss",
    "params. = 'x'",
    "metrics.loss < 1e999",
]
ORDERS: list[Any] = [
    ["metrics.loss"],
    ["metrics.loss ASC"],
    ["metrics.loss DESC"],
    ["metrics.nan ASC"],
    ["metrics.nan DESC"],
    ["metrics.absent"],
    ["params.lr"],
    ["params.lr DESC"],
    ["tags.team"],
    ["tags.team DESC"],
    ["attributes.start_time DESC"],
    ["start_time"],
    ["start_time ASC"],
    ["attributes.status"],
    ["run_name DESC"],
    ["attributes.end_time"],
    ["metrics.loss", "params.lr"],
    ["params.lr ASC", "start_time DESC"],
    ["created"],
    ["Created DESC"],
    ["metrics.loss", "metrics.loss"],
    ["metrics.loss foo"],
    ["metrics.loss ASC DESC"],
    ["unknown.x"],
    ["loss"],
    [""],
    ["metrics.loss,params.lr"],
    ["attributes.unknown"],
    "metrics.loss",
    None,
    [None],
    7,
    [7],
    {},
    ["ASC"],
    ["datasets.name"],
]
VIEWS: list[Any] = [None, "", "ACTIVE_ONLY", "DELETED_ONLY", "ALL", "active_only", 1, 2, 3, 4, "2", True, []]


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("search runs", _runs().all),
        Scenario("search runs in pages", _pages().all),
        Scenario("search experiments", _experiments().all),
    ]


def _filled() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.experiment("second")
    details: list[dict[str, Any]] = [
        {"loss": 0.5, "lr": "0.1", "team": "red"},
        {"loss": 0.25, "lr": "0.01", "team": "blue"},
        {"loss": -1.5, "lr": "0.1"},
        {"nan": "NaN", "team": "red"},
        {"nan": 3.0, "loss": 7.0},
        {},
    ]
    for number, detail in enumerate(details, 1):
        run = f"run{number}"
        steps.run(
            run,
            start_time=1_700_000_000_000 + number,
            run_name=f"run {number}",
            user_id="ada" if number == 1 else "bob",
        )
        measured = {key: value for key, value in detail.items() if key in {"loss", "nan"}}
        steps.post(
            "runs/log-batch",
            {
                "run_id": f"${{{run}}}",
                "metrics": [
                    {"key": key, "value": value, "timestamp": 5, "step": 1}
                    for key, value in {**measured, "a b": 1.0}.items()
                ],
                "params": [{"key": "lr", "value": detail["lr"]}, {"key": "Name", "value": "Ada"}]
                if "lr" in detail
                else [{"key": "empty", "value": ""}],
                "tags": [{"key": "team", "value": detail["team"]}]
                if "team" in detail
                else [{"key": "quote", "value": "it's"}],
            },
            f"fill {run}",
        )
    steps.post("runs/update", {"run_id": "${run1}", "status": "FINISHED", "end_time": 1_700_000_009_000})
    steps.post("runs/update", {"run_id": "${run2}", "status": "FAILED", "end_time": 1_700_000_005_000})
    dataset = {
        "dataset": {"name": "d", "digest": "1a", "source_type": "local", "source": "{}"},
        "tags": [{"key": "mlflow.data.context", "value": "train"}],
    }
    steps.post("runs/log-inputs", {"run_id": "${run3}", "datasets": [dataset]})
    steps.run("gone", run_name="gone", start_time=1_700_000_000_100)
    steps.post("runs/delete", {"run_id": "${gone}"})
    steps.run("elsewhere", "second", run_name="elsewhere")
    return steps


def _runs() -> Steps:
    steps = _filled()
    where = {"experiment_ids": ["${experiment}"]}
    steps.post("runs/search", where)
    for text in [*GOOD_FILTERS, *BAD_FILTERS]:
        steps.post("runs/search", {**where, "filter": text}, f"filter {text}")
    for order in ORDERS:
        steps.post("runs/search", {**where, "order_by": order}, f"order {shown(order)}")
    for view in VIEWS:
        steps.post("runs/search", {**where, "run_view_type": view}, f"view {shown(view)}")
    both = ["${experiment}", "${second}"]
    for value in [
        both,
        [*both, "999999"],
        *(it for it in LISTS if it != [1]),
        [999_999],
        ["x"],
        ["999999"],
        "${experiment}",
    ]:
        steps.post("runs/search", {"experiment_ids": value}, f"in {shown(value)}")
    for value in [None, "", 7, [], {}, True]:
        steps.post("runs/search", {**where, "filter": value}, f"odd filter {shown(value)}")
    return steps


def _pages() -> Steps:
    steps = _filled()
    where = {"experiment_ids": ["${experiment}"], "order_by": ["start_time ASC"]}
    steps.post("runs/search", {**where, "max_results": 4}, "first page", token="next_page_token")
    steps.post("runs/search", {**where, "max_results": 4, "page_token": "${token}"}, "second page")
    steps.post("runs/search", {**where, "max_results": 6}, "exactly one page")
    for value in [*INTEGERS, 50_000, 50_001]:
        steps.post("runs/search", {**where, "max_results": value}, f"max_results {shown(value)}")
    for value in [None, "", "x", 7, "bm9uc2Vuc2U=", "e30=", [], {}]:
        steps.post("runs/search", {**where, "page_token": value}, f"page_token {shown(value)}")
    return steps


def _experiments() -> Steps:
    steps = Steps()
    for number in range(1, 5):
        tags = [{"key": "team", "value": "red" if number % 2 else "blue"}]
        steps.experiment(f"e{number}", tags=tags)
    steps.post("experiments/delete", {"experiment_id": "${e4}"})
    ours = "name LIKE '${unique}%'"
    for text in [
        ours,
        f"{ours} AND tags.team = 'red'",
        f"{ours} AND tags.team != 'red'",
        f"{ours} AND tag.`team` ILIKE 'RE%'",
        "name ILIKE '${unique} E1'",
        "name = '${unique} e1'",
        "attribute.name = '${unique} e1'",
        f"{ours} AND attributes.creation_time > 0",
        f"{ours} AND last_update_time > 0",
        f"{ours} AND tags.team IS NULL",
        f"{ours} AND tags.none IS NULL",
        "name > 'x'",
        "unknown = 'x'",
        "params.x = 'y'",
        "name",
        "name = 5",
        "creation_time > 'x'",
        "creation_time LIKE 'x'",
        "experiment_id = '${e1}'",
        "name = 'x' OR name = 'y'",
    ]:
        steps.post(
            "experiments/search", {"filter": text, "order_by": ["name"], "max_results": 100}, f"filter {text}"
        )
    for order in [
        ["name"],
        ["name DESC"],
        ["creation_time ASC", "name"],
        ["last_update_time", "experiment_id"],
        ["experiment_id"],
        ["experiment_id DESC"],
        ["tags.team"],
        ["unknown"],
        ["name foo"],
        "name",
        [None],
        7,
        {},
    ]:
        steps.post(
            "experiments/search",
            {"filter": ours, "max_results": 100, "order_by": order},
            f"order {shown(order)}",
        )
    for view in VIEWS:
        steps.post(
            "experiments/search",
            {"filter": ours, "order_by": ["name"], "max_results": 100, "view_type": view},
            f"view {shown(view)}",
        )
    page = {"filter": ours, "max_results": 2, "order_by": ["name"]}
    steps.post("experiments/search", page, "first page", token="next_page_token")
    steps.post("experiments/search", {**page, "page_token": "${token}"}, "second page")
    for value in [*INTEGERS, 50_000, 50_001]:
        steps.post(
            "experiments/search",
            {"filter": ours, "order_by": ["name"], "max_results": value},
            f"max_results {shown(value)}",
        )
    for value in [None, "", "x", 7, [], {}]:
        steps.post("experiments/search", {**page, "page_token": value}, f"page_token {shown(value)}")
    steps.post("experiments/search", {"filter": ours, "order_by": ["name"]}, "without max_results")
    steps.get(
        "experiments/search",
        "max_results=100&filter=name+LIKE+%27conformance+search+exp%25%27&order_by=name",
        "GET",
    )
    steps.get(
        "experiments/search",
        "max_results=100&filter=name+LIKE+%27conformance+search+exp%25%27&order_by=name+DESC&view_type=ALL",
        "GET with more",
    )
    steps.get("experiments/search", "max_results=x", "GET max_results x")
    steps.get("experiments/search", "", "GET without max_results")
    return steps
