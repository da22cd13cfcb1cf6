"""What the client hands out behaves as scripts expect; generated names; errors; where a run comes from."""

import copy
import pickle
import re
import subprocess
from pathlib import Path

import grpc
import grpc.aio
import pytest

from stepwell import Metric, PagedList, Run, RunData, RunInfo, RunStatus, StepwellException, errors
from stepwell.runs import context, names
from stepwell.wire import messages
from stepwell_api.v1 import runs_pb2


def a_run() -> Run:
    info = RunInfo("a" * 32, "1", "me", "RUNNING", 5, None, "active", "stepwell-artifacts:/1", "calm-lake-7")
    return Run(info, RunData(metrics={"loss": 0.5}, params={"p": "1"}, tags={}))


def test_entities_are_values() -> None:
    assert dict(Metric("loss", 0.5, 7, 1)) == {
        "key": "loss",
        "value": 0.5,
        "timestamp": 7,
        "step": 1,
        "run_id": None,
        "model_id": None,
        "dataset_name": None,
        "dataset_digest": None,
    }
    assert Metric("loss", 0.5, 7, 1) == Metric("loss", 0.5, 7, 1)
    assert "loss" in repr(Metric("loss", 0.5, 7, 1))


def test_runs_as_dictionaries() -> None:
    run = a_run()
    assert run == a_run()
    assert run.info.run_uuid == run.info.run_id
    assert run.to_dictionary()["data"] == {"metrics": {"loss": 0.5}, "params": {"p": "1"}, "tags": {}}
    assert run.to_dictionary()["info"]["status"] == "RUNNING"


def test_statuses() -> None:
    for number in RunStatus.all_status():
        assert RunStatus.from_string(RunStatus.to_string(number)) == number
    assert RunStatus.is_terminated("FAILED")
    assert not RunStatus.is_terminated(RunStatus.RUNNING)
    with pytest.raises(StepwellException, match="KILLED"):
        RunStatus.from_string("DONE")
    with pytest.raises(StepwellException, match="1 to 5"):
        RunStatus.to_string(6)


def test_pages_are_lists() -> None:
    assert PagedList([1, 2], "next") == [1, 2]
    assert PagedList([1], "next").token == "next"


def test_names_are_short_and_differ() -> None:
    generated = {names.generate() for _ in range(200)}
    assert len(generated) > 190
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d{1,3}", name) and len(name) <= 21 for name in generated)


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(StepwellException("no", "INVALID_STATE")))
    assert (str(error), error.error_code) == ("no", "INVALID_STATE")


def rpc_error(status: grpc.StatusCode, *metadata: tuple[str, str]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata), details="so it is")


@pytest.mark.parametrize("status", [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK])
def test_every_status_has_an_error_code(status: grpc.StatusCode) -> None:
    error = errors.from_rpc(rpc_error(status), "tracker:1")
    assert error.error_code in errors.__doc__
    assert str(error).startswith("so it is")


def test_the_servers_code_goes_first() -> None:
    error = rpc_error(grpc.StatusCode.NOT_FOUND, ("stepwell-error-code", "INVALID_STATE"))
    assert errors.from_rpc(error, "tracker:1").error_code == "INVALID_STATE"
    assert errors.is_final(error)
    assert not errors.is_final(rpc_error(grpc.StatusCode.UNAVAILABLE))


def test_latest_points_are_made_when_somebody_looks_and_survive_copies() -> None:
    info = runs_pb2.RunInfo(
        run_id="r", status=runs_pb2.RUN_STATUS_RUNNING, lifecycle_stage=runs_pb2.LIFECYCLE_STAGE_ACTIVE
    )
    message = runs_pb2.Run(info=info)
    message.metrics.add(key="loss", value=0.5, step=-3, timestamp_ms=7)
    points = messages.run(message).data.latest_points
    expected = {"loss": Metric("loss", 0.5, 7, -3, "r")}
    assert (dict(points), len(points), "acc" in points, repr(points)) == (expected, 1, False, repr(expected))
    assert pickle.loads(pickle.dumps(points)) == copy.deepcopy(points) == expected


@pytest.mark.parametrize(
    ("status", "details"),
    [
        (grpc.StatusCode.INTERNAL, "Internal error from Core"),
        (grpc.StatusCode.UNKNOWN, "Stream removed (Socket closed)"),
    ],
)
def test_a_connection_that_was_cut_is_no_error_of_the_server(status: grpc.StatusCode, details: str) -> None:
    nothing = grpc.aio.Metadata()
    cut = grpc.aio.AioRpcError(status, nothing, nothing, details=details)
    assert errors.from_rpc(cut, "tracker:1").error_code == "TEMPORARILY_UNAVAILABLE"


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://me:secret@example.org:8443/a.git?x", "https://example.org:8443/a.git?x"),
        ("https://token@example.org/a.git", "https://example.org/a.git"),
        ("git@example.org:me/a.git", "git@example.org:me/a.git"),
        ("/srv/a.git", "/srv/a.git"),
    ],
)
def test_no_credentials_in_tags(url: str, clean: str) -> None:
    assert context.without_credentials(url) == clean


def test_git_tags(tmp_path: Path) -> None:
    assert context._git_tags(tmp_path) == {}
    for arguments in (
        "init -q -b trunk .",
        "remote add origin https://me:secret@example.org/a.git",
        "-c user.name=me -c user.email=me@example.org commit -q --allow-empty -m first",
    ):
        subprocess.run(["git", "-C", tmp_path, *arguments.split()], check=True)
    tags = context._git_tags(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", tags.pop("mlflow.source.git.commit"))
    assert tags == {
        "mlflow.source.git.branch": "trunk",
        "mlflow.source.git.repoURL": "https://example.org/a.git",
    }
