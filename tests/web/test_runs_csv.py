"""Runs as CSV: chosen columns of all that a filter finds, as spreadsheets take them."""

import csv
import io
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from uuid import uuid4

import pytest

from stepwell import Metric, Param, StepwellClient
from tests.harness.servers.processes import ServerProcess

Fields = list[tuple[str, str]]


def fetched(server: ServerProcess, fields: Fields) -> list[list[str]]:
    with urllib.request.urlopen(
        f"{server.url}/api/stepwell/v1/runs.csv?{urllib.parse.urlencode(fields)}"
    ) as answer:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"].startswith("attachment")
        return list(csv.reader(io.StringIO(answer.read().decode(), newline="")))


@pytest.fixture
def experiment(shared_server: ServerProcess) -> str:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"csv {uuid4().hex}")
    for number, name in enumerate(["=1+1", "-0.5", 'a "quoted",\nname']):
        run = client.create_run(experiment_id, 1_700_000_000_000 + number, run_name=name)
        client.log_batch(
            run.info.run_id,
            metrics=[
                Metric("loss", value, 0, step) for step, value in enumerate([1.5, 0.1 + number, math.nan])
            ],
            params=[Param("lr", "@SUM(A1)" if number else "+1e-3")],
        )
        client.set_terminated(run.info.run_id, end_time=1_700_000_001_500 + number)
    client.flush()
    return experiment_id


def test_chosen_columns_of_all_hits(shared_server: ServerProcess, experiment: str) -> None:
    columns = [
        "run_name",
        "params.lr",
        "metrics.loss",
        "min(metrics.loss)",
        "duration",
        "start_time",
        "tags.none",
    ]
    fields = [("experiment_id", experiment), ("order_by", "start_time"), *(("column", it) for it in columns)]
    titles, *rows = fetched(shared_server, fields)
    assert titles == columns
    at = "2023-11-14T22:13:20.00"
    assert rows == [
        ["'=1+1", "+1e-3", "nan", "0.1", "1.5", f"{at}0+00:00", ""],
        ["-0.5", "'@SUM(A1)", "nan", "1.1", "1.5", f"{at}1+00:00", ""],
        ['a "quoted",\nname', "'@SUM(A1)", "nan", "1.5", "1.5", f"{at}2+00:00", ""],
    ]
    found = fetched(shared_server, [*fields, ("filter", "min(metrics.loss) > 1"), ("view", "all")])
    assert [row[0] for row in found[1:]] == ["-0.5", 'a "quoted",\nname']
    assert fetched(shared_server, [*fields, ("view", "deleted")]) == [columns]


def test_all_pages_are_written(shared_server: ServerProcess) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"csv of many {uuid4().hex}")
    for _ in range(520):
        client.create_run(experiment_id)
    client.flush()
    rows = fetched(shared_server, [("experiment_id", experiment_id), ("column", "run_id")])
    assert len({row[0] for row in rows[1:]}) == len(rows) - 1 == 520


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], "name experiments"),
        ([("experiment_id", "x")], "'x' is not the id"),
        ([("experiment_id", "0"), ("filter", "a = = 1")], "unexpected '='"),
        ([("experiment_id", "0"), ("column", "nothing")], "no attribute 'nothing'"),
        ([("experiment_id", "0"), ("column", "datasets.name")], "many data sets"),
        ([("experiment_id", "0"), ("view", "x")], "'x' is no view"),
        ([("experiment_id", "0"), *[("column", "run_id")] * 1_001], "1,001 columns"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(
    shared_server: ServerProcess, fields: Fields, reason: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetched(shared_server, fields)
    assert caught.value.code == 400
    assert reason in json.load(caught.value)["message"]
