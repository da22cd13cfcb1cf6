"""Data sets that runs used, through the client."""

import json
from uuid import uuid4

import numpy as np
import pytest

import stepwell as mlflow
from stepwell import StepwellClient
from stepwell.entities import Dataset, DatasetInput, InputTag
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")


def inputs_of(run: mlflow.ActiveRun) -> list[DatasetInput]:
    return mlflow.get_run(run.info.run_id).inputs.dataset_inputs


def test_a_data_frame_is_noted() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [0.5, 1.5], "n": [1, 2], "odd": [[1], {}], "label": ["a", None]})
    dataset = mlflow.data.from_pandas(frame, source="s3://bucket/iris.csv", targets="label", name="iris")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"fold": 3})
        mlflow.log_input(dataset, tags={"seen": "again"})
    [noted] = inputs_of(run)
    assert (noted.dataset.name, noted.dataset.digest, noted.dataset.source_type) == (
        "iris",
        dataset.digest,
        "s3",
    )
    assert {tag.key: tag.value for tag in noted.tags} == {
        "mlflow.data.context": "training",
        "fold": "3",
        "seen": "again",
    }
    assert json.loads(noted.dataset.source) == {"uri": "s3://bucket/iris.csv"}
    columns = {
        column["name"]: column["type"] for column in json.loads(noted.dataset.schema or "")["mlflow_colspec"]
    }
    assert columns == {"x": "double", "n": "long", "odd": "string", "label": "string"}
    assert json.loads(noted.dataset.profile or "") == {"num_rows": 2, "num_elements": 8}
    with refused("INVALID_PARAMETER_VALUE", "no such column"):
        mlflow.data.from_pandas(frame, targets="nothing")


def test_arrays_are_noted() -> None:
    features, targets = np.arange(60_000.0).reshape(20_000, 3), np.zeros(20_000, np.int32)
    dataset = mlflow.data.from_numpy(features, targets=targets)
    with mlflow.start_run() as run:
        mlflow.log_inputs(
            [dataset, mlflow.data.from_numpy({"a": features}, name="named")], ["training", None]
        )
    first, second = inputs_of(run)
    assert (first.dataset.name, second.dataset.name) == ("dataset", "named")
    assert first.dataset.source_type == "code"
    spec = json.loads(first.dataset.schema or "")["mlflow_tensorspec"]
    (of_features,), (of_targets,) = (
        json.loads(spec["features"]),
        json.loads(spec["targets"]),
    )  # as MLflow writes it
    assert of_features["tensor-spec"] == {"dtype": "float64", "shape": [-1, 3]}
    assert of_targets["tensor-spec"] == {"dtype": "int32", "shape": [-1]}
    assert json.loads(first.dataset.profile or "")["features_nbytes"] == 480_000
    assert json.loads(second.dataset.profile or "")["features_shape"] == {"a": [20_000, 3]}


def test_digests_tell_data_apart() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": range(30_000)})
    changed = frame.assign(x=frame["x"] + 1)
    digests = {
        mlflow.data.from_pandas(one).digest for one in (frame, changed, frame.rename(columns={"x": "y"}))
    }
    assert len(digests) == 3
    assert mlflow.data.from_pandas(frame.copy()).digest in digests
    arrays = [np.zeros(3), np.zeros(4), np.ones(3), np.zeros(3, np.float32)]
    assert len({mlflow.data.from_numpy(array).digest for array in arrays}) == 4
    assert all(len(mlflow.data.from_numpy(array).digest) == 8 for array in arrays)


def test_what_is_wrong_is_refused() -> None:
    client = StepwellClient()
    with mlflow.start_run() as run:
        with refused("INVALID_PARAMETER_VALUE", "from_pandas"):
            mlflow.log_input("iris.csv")
        with refused("INVALID_PARAMETER_VALUE", "as many contexts"):
            mlflow.log_inputs([mlflow.data.from_numpy(np.zeros(1))] * 2, ["only one"])
        for name, digest, source in (("", "d", "s"), ("n", "x" * 37, "s"), ("n", "d", "s" * 70_000)):
            with refused("INVALID_PARAMETER_VALUE", "[Dd]ata set"):
                client.log_inputs(run.info.run_id, [DatasetInput(Dataset(name, digest, "t", source))])
        with refused("INVALID_PARAMETER_VALUE", "model"):
            client.log_inputs(run.info.run_id, [], models=[object()])  # type: ignore[list-item]
    good = DatasetInput(Dataset("n", "d", "t", "s"), [InputTag("k", "v")])
    with refused("RESOURCE_DOES_NOT_EXIST", "no run"):
        client.log_inputs(uuid4().hex, [good])
    client.delete_run(run.info.run_id)
    with refused("INVALID_STATE", "restore it"):
        client.log_inputs(run.info.run_id, [good])


def test_runs_are_found_by_their_data_sets() -> None:
    iris, wine = (
        mlflow.data.from_numpy(np.arange(size), name=name) for size, name in ((3, "iris"), (4, "wine"))
    )
    runs = {}
    for name, used in {"both": [(iris, "train"), (wine, "test")], "iris": [(iris, None)], "none": []}.items():
        with mlflow.start_run(run_name=name) as run:
            for dataset, context in used:
                mlflow.log_input(dataset, context=context)
        runs[run.info.run_id] = name
    where = [run.info.experiment_id]

    def found(filter_: str) -> set[str]:
        page = StepwellClient().search_runs(where, f"({filter_}) AND run_id IN {tuple(runs)}")
        return {runs[run.info.run_id] for run in page}

    assert found("datasets.name = 'iris'") == {"both", "iris"}
    assert found("dataset.name != 'iris'") == found("datasets.name NOT IN ('iris')") == {"both"}
    assert found("NOT datasets.name = 'wine'") == {"iris"}
    assert found(f"datasets.digest = '{wine.digest}'") == {"both"}
    assert found("datasets.context LIKE 't%' AND datasets.context ILIKE 'TEST'") == {"both"}
    assert found("datasets.context IS NULL") == {"iris", "none"}
    with refused("INVALID_PARAMETER_VALUE", "cannot order runs"):
        StepwellClient().search_runs(where, order_by=["datasets.name"])


def test_searches_bring_data_sets() -> None:
    toys = [mlflow.data.from_numpy(np.ones((3, number)), source="toy.csv", name="toy") for number in (1, 2)]
    with mlflow.start_run() as without:
        pass
    with mlflow.start_run() as run:
        mlflow.log_inputs(toys, ["training", None], [None, {"fold": "1"}])
    found = {one.info.run_id: one for one in mlflow.search_runs(output_format="list")}
    assert found[run.info.run_id].inputs == mlflow.get_run(run.info.run_id).inputs
    assert len(found[run.info.run_id].inputs.dataset_inputs) == 2
    assert found[without.info.run_id].inputs.dataset_inputs == []


def test_searches_bring_data_sets_that_are_too_large_for_one_answer() -> None:
    def log_large(count: int) -> str:
        with mlflow.start_run() as run:
            inputs = [
                DatasetInput(
                    Dataset("large", f"{number} {run.info.run_id[:9]}", "local", "{}", profile="x" * 10**6)
                )
                for number in range(count)
            ]
            StepwellClient().log_inputs(run.info.run_id, inputs)
        return run.info.run_id

    ids = [log_large(1) for _ in range(5)]
    most = log_large(4)
    found = {one.info.run_id: one for one in mlflow.search_runs(output_format="list")}
    sizes = {
        run_id: [len(it.dataset.profile or "") for it in run.inputs.dataset_inputs]
        for run_id, run in found.items()
    }
    # One that has too many for any answer keeps nobody from what comes behind it.
    assert sizes == {**{run_id: [10**6] for run_id in ids}, most: [10**6, 10**6, 10**6, 0]}
