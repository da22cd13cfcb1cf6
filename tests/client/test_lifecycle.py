"""Lifecycle and resuming through the client, against a real server process."""

from collections.abc import Iterator

import pytest

import stepwell
from stepwell import StepwellClient, StepwellException
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
def client(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StepwellClient]:
    """A client of the shared server, which the fluent functions use as well."""
    for name in ("EXPERIMENT_NAME", "EXPERIMENT_ID", "RUN_ID", "TRACKING_URI"):
        monkeypatch.delenv(f"STEPWELL_{name}", raising=False)
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    yield StepwellClient()
    while stepwell.active_run():
        stepwell.end_run()


def steps(run_id: str, key: str) -> list[int]:
    return sorted(point.step for point in stepwell.get_metric_history(run_id, key))


def test_experiments_live_and_die_by_mlflows_names(client: StepwellClient) -> None:
    number = stepwell.set_experiment("lifecycle of an experiment").experiment_id
    stepwell.set_experiment_tag("owner", "ada")
    stepwell.set_experiment_tags({"a": 1, "b": 2})
    stepwell.delete_experiment_tag("b")
    client.rename_experiment(number, "lifecycle renamed")
    experiment = stepwell.get_experiment(number)
    assert (experiment.name, experiment.tags) == ("lifecycle renamed", {"a": "1", "owner": "ada"})
    with stepwell.start_run() as run:
        pass
    stepwell.delete_experiment(number)
    assert stepwell.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(StepwellException, match="deleted experiment"):
        stepwell.set_experiment(experiment_id=number)
    assert stepwell.set_experiment("lifecycle renamed").experiment_id != number
    with pytest.raises(StepwellException) as caught:
        stepwell.restore_experiment(number)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_runs_are_deleted_and_restored(client: StepwellClient) -> None:
    with stepwell.start_run() as outer, stepwell.start_run(nested=True) as inner:
        pass
    parent = stepwell.get_parent_run(inner.info.run_id)
    assert parent is not None
    assert parent.info.run_id == outer.info.run_id
    assert stepwell.get_parent_run(outer.info.run_id) is None
    stepwell.delete_run(inner.info.run_id)
    with pytest.raises(StepwellException, match="restore it"):
        stepwell.start_run(run_id=inner.info.run_id)
    stepwell.restore_run(inner.info.run_id)
    client.update_run(inner.info.run_id, status="KILLED", name="renamed")
    info = client.get_run(inner.info.run_id).info
    assert (info.lifecycle_stage, info.status, info.run_name) == ("active", "KILLED", "renamed")


def test_a_job_goes_on_from_a_checkpoint(client: StepwellClient) -> None:
    with stepwell.start_run() as run:
        for step in range(10):
            stepwell.log_metric("loss", 10 - step, step=step)
    run_id = run.info.run_id
    with stepwell.start_run(run_id=run_id, resume_from_step=6) as resumed:
        assert resumed.data.metrics == {"loss": 5}
        for step in range(6, 8):
            stepwell.log_metric("loss", 0.5, step=step)
    assert steps(run_id, "loss") == list(range(8))
    assert client.get_run(run_id).data.metrics == {"loss": 0.5}
    client.undo_resume(run_id)
    assert steps(run_id, "loss") == sorted([*range(10), 6, 7])
    with pytest.raises(StepwellException, match="no rewind"):
        client.undo_resume(run_id)


def test_resuming_from_a_step_needs_a_run(client: StepwellClient) -> None:
    with pytest.raises(StepwellException, match="give run_id"):
        stepwell.start_run(resume_from_step=5)
    with pytest.raises(StepwellException, match="integer"):
        stepwell.start_run(run_id=client.create_run("0").info.run_id, resume_from_step=0.5)
