"""`stepwell gc` that is killed and repeated removes the bytes of a deleted experiment, and nobody else's."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stepwell import StepwellClient
from tests.faults.patience import until
from tests.harness.content.files import files_below
from tests.harness.servers.processes import ServerProcess, command_line, neutral_environment, stepwell_command

RUNS = 24
FILES = 5
SHARED = b"what both experiments have"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of files; `shared` has the same content in every run."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "shared").write_bytes(SHARED)
    return folder


def log_runs(client: StepwellClient, experiment_id: str, count: int, source: Path) -> Sequence[str]:
    run_ids = []
    for _ in range(count):
        for number in range(FILES):
            (source / str(number)).write_bytes(os.urandom(100))
        run_ids.append(client.create_run(experiment_id).info.run_id)
        client.log_artifacts(run_ids[-1], source)
    return run_ids


def files(folder: Path) -> int:
    return len(files_below(folder))


def kill_after(runs: int, *options: str) -> None:
    """Start a collection, and kill it when it has removed so many runs."""
    collection = subprocess.Popen(
        command_line("gc", *options), stderr=subprocess.PIPE, text=True, env=neutral_environment()
    )
    with collection:
        for _ in range(runs):
            assert collection.stderr.readline().startswith("run ")
        collection.kill()


def test_a_deleted_experiment_takes_its_bytes_along(
    start_server: Callable[..., ServerProcess], tmp_path: Path, source: Path
) -> None:
    data, own = tmp_path / "data", tmp_path / "own"
    tmp_path.chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
    server = start_server("--data", str(data), "--artifact-folder", str(own))
    client = StepwellClient(server.tracking_uri)
    gone = client.create_experiment("gone")
    apart = client.create_experiment("apart", artifact_location=f"file://{own}/team")
    (kept,) = log_runs(client, "0", 1, source)
    log_runs(client, gone, RUNS, source)
    log_runs(client, apart, RUNS, source)
    assert files(data / "artifacts") == (RUNS + 1) * FILES + 1
    assert files(own) == RUNS * FILES + 1
    client.delete_experiment(gone)
    client.delete_experiment(apart)
    for runs in (1, 3, 2):
        kill_after(runs, "--data", str(data), "--experiment-ids", f"{gone},{apart}")
    server.terminate()
    done = json.loads(stepwell_command("gc", "--json", "--data", str(data)))
    assert done["experiments"] == 2
    assert done["runs"] <= 2 * RUNS - 3
    assert done["files_waiting"] == 0
    assert files(own) == 0
    assert files(data / "artifacts") == FILES + 1
    client = StepwellClient(start_server("--data", str(data)).tracking_uri)
    fetched = client.download_artifacts(kept, "shared", str(tmp_path / "fetched"))
    assert Path(fetched).read_bytes() == SHARED


def test_with_a_database_elsewhere_the_server_removes_the_bytes(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path, source: Path
) -> None:
    # The sweeps of a server that gives uploads up after a second are as frequent.
    options = ("--store", database_url, "--data", str(tmp_path / "data"), "--artifact-idle", "1")
    server = start_server(*options)
    client = StepwellClient(server.tracking_uri)
    gone = client.create_experiment("gone")
    log_runs(client, gone, 1, source)
    client.delete_experiment(gone)
    server.terminate()
    done = json.loads(stepwell_command("gc", "--json", "--store", database_url))
    assert (done["experiments"], done["files_waiting"]) == (1, FILES + 1)
    assert files(tmp_path / "data" / "artifacts") == FILES + 1
    start_server(*options)
    until(lambda: files(tmp_path / "data" / "artifacts") == 0, "the server removes the bytes")


def test_bytes_that_cannot_be_removed_keep_no_others_back(
    start_server: Callable[..., ServerProcess], tmp_path: Path, source: Path
) -> None:
    tmp_path.chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
    data = tmp_path / "data"
    server = start_server("--data", str(data))
    client = StepwellClient(server.tracking_uri)
    gone = client.create_experiment("gone")
    log_runs(client, gone, 8, source)
    client.delete_experiment(gone)
    server.terminate()
    bad = files_below(data / "artifacts")[::4]
    for path in bad:
        path.unlink()
        (path / "folder").mkdir(parents=True)
    done = json.loads(stepwell_command("gc", "--json", "--data", str(data)))
    assert (done["experiments"], done["files_waiting"]) == (1, len(bad))
    assert files(data / "artifacts") == 0
    for path in bad:
        shutil.rmtree(path)
    assert json.loads(stepwell_command("gc", "--json", "--data", str(data)))["files_waiting"] == 0
