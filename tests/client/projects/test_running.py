"""Projects are run as runs: their command in a process of its own, what it was given and how it ended on record."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest
from click.testing import CliRunner

import stepwell
from stepwell import extras
from stepwell.commands.run import run as run_command
from stepwell.entities import Run
from tests.client.conftest import Script
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")

NOBODY = "grpc://127.0.0.1:9"
MAIN = "from stepwell.cli import main; main()"
TRAIN = """
import sys
import stepwell
with stepwell.start_run() as run:
    stepwell.log_metric("loss", float(sys.argv[1]), step=3)
    print("trained", run.info.run_id, *sys.argv[3:])
"""
ODD = "a 'b' \"c\" $(exit 9)\nü; {loss}"
WHERE = """
import importlib.util, sys
print(sys.prefix, importlib.util.find_spec("small_package") is not None)
"""
FILE = """
name: small
entry_points:
  main:
    parameters:
      loss: {type: float, default: 0.5}
    command: "python train.py {loss}"
  fails:
    command: "echo so far; echo so bad >&2; exit 3"
  waits:
    parameters: {file: path}
    command: "sleep 1000 & echo $! > {file}; wait"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(FILE)
    (folder / "train.py").write_text(TRAIN)
    return folder


def small_package(folder: Path) -> Path:
    """A wheel that is made in no time and needs no index."""
    wheel = folder / "small_package-1-py3-none-any.whl"
    about = "small_package-1.dist-info"
    with ZipFile(wheel, "w") as file:
        file.writestr("small_package.py", "")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: small-package\nVersion: 1\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    return wheel


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    ended = subprocess.run(["git", *named, *words], cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def the_run(experiment: str) -> Run:
    (run,) = stepwell.search_runs(experiment_names=[experiment], output_format="list")
    return run


def running() -> Sequence[Run]:
    return stepwell.search_runs(
        filter_string="status = 'RUNNING'", search_all_experiments=True, output_format="list"
    )


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def test_a_run_of_a_project(project: Path, script: Script) -> None:
    answer = script(
        MAIN,
        "run",
        str(project),
        "-P",
        "loss=0.25",
        "-P",
        f"more={ODD}",
        "--experiment-name",
        "projects",
        "--run-name",
        "x",
    )
    assert answer.returncode == 0, answer.stderr
    run = the_run("projects")
    assert answer.stdout == f"trained {run.info.run_id} {ODD}\n"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "x")
    assert run.data.params == {"loss": "0.25", "more": ODD}
    assert [(it.step, it.value) for it in stepwell.get_metric_history(run.info.run_id, "loss")] == [(3, 0.25)]
    tags = run.data.tags
    assert tags["mlflow.source.type"] == "PROJECT"
    assert tags["mlflow.source.name"] == str(project)
    assert tags["mlflow.project.entryPoint"] == "main"
    assert tags["mlflow.project.backend"] == "local"
    assert not {"mlflow.project.env", "mlflow.source.git.commit", "mlflow.source.git.branch"} & tags.keys()
    assert stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/output.log") == answer.stdout


def test_a_command_that_fails(project: Path, script: Script) -> None:
    answer = script(MAIN, "run", str(project), "-e", "fails", "--experiment-name", "failing")
    run = the_run("failing")
    assert answer.returncode == 1
    assert f"Run (ID '{run.info.run_id}') failed: its command ended with exit code 3." in answer.stderr
    assert answer.stdout == "so far\n"
    assert "so bad" in answer.stderr
    assert run.info.status == "FAILED"
    # Two pipes, read by two threads: nobody knows which of them was written first.
    kept = stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/output.log")
    assert sorted(kept.splitlines()) == ["so bad", "so far"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-e", "nothing"], "it has: main, fails, waits, train.py"),
        (["-P", "loss=much"], "'loss' is 'much'"),
        (["-P", "loss"], "-P is 'loss'"),
        (["-P", "loss=1", "-P", "loss=2"], "-P loss is given twice"),
        (["-e", "waits"], "'waits' needs file"),
        (["-v", "nothing"], "git"),
        (["-b", "kubernetes"], "backend is 'local'"),
        (["--storage-dir", "/dev/null"], "storage_dir /dev/null cannot be a folder"),
    ],
)
def test_mistakes_end_with_2_before_a_run_begins(
    project: Path, script: Script, words: list[str], complaint: str
) -> None:
    before = len(running())
    answer = script(MAIN, "run", str(project), *words)
    assert answer.returncode == 2, answer.stderr
    assert complaint in answer.stderr
    assert len(running()) == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: [", "is no YAML"),
        ("docker_env: {image: x}", "Docker"),
        ("conda_env: nothing.yaml", "no such file"),
        ("conda_env: ../x.yaml", "outside of the project"),
        ("entry_points: {main: python}", "needs a command"),
        ("- a", "is to be a map"),
    ],
)
def test_a_file_that_cannot_be(project: Path, text: str, complaint: str) -> None:
    (project / "MLproject").write_text(text)
    with pytest.raises(stepwell.StepwellException, match=re.escape(complaint)):
        stepwell.run(str(project))


def test_no_git_and_no_repository(project: Path, script: Script, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    answer = script(MAIN, "run", "https://127.0.0.1:1/x.git", PATH=str(tmp_path / "bin"))
    assert (answer.returncode, "needs the program git" in answer.stderr) == (2, True), answer.stderr
    answer = script(MAIN, "run", "https://me:secret@127.0.0.1:1/x.git")
    assert answer.returncode == 2
    assert "git fetch failed" in answer.stderr
    assert "secret" not in answer.stderr


def test_states_of_a_repository(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    first = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "tag", "v1")
    (project / "train.py").write_text(TRAIN.replace("step=3", "step=4"))
    git(tmp_path, "commit", "--quiet", "--all", "--message", "second")
    second = git(tmp_path, "rev-parse", "HEAD")
    address = f"{tmp_path.as_uri()}#project"
    for uri, version, commit, branch, step in (
        (str(project), None, second, None, 4),
        (address, "main", second, "main", 4),
        (address, "v1", first, None, 3),
        (address, first, first, None, 3),
    ):
        run = stepwell.get_run(stepwell.run(uri, version=version).run_id)
        assert run.data.tags["mlflow.source.git.commit"] == commit
        assert run.data.tags.get("mlflow.source.git.branch") == branch
        assert run.data.tags["mlflow.source.name"] == address
        assert stepwell.get_metric_history(run.info.run_id, "loss")[0].step == step
    with refused("INVALID_PARAMETER_VALUE", re.escape("no commit, branch or tag 'v9'")):
        stepwell.run(address, version="v9")
    with refused("INVALID_PARAMETER_VALUE", re.escape("version")):
        stepwell.run(address, version="--upload-pack=x")
    with refused("INVALID_PARAMETER_VALUE", re.escape("no folder")):
        stepwell.run(f"{tmp_path}#../..")


def test_children(project: Path) -> None:
    with stepwell.start_run() as parent:
        child = stepwell.run(str(project), synchronous=False)
        assert stepwell.active_run() is parent
        assert child.wait()
        # As sweeps do it: a nested run, and a project that goes on with it.
        with stepwell.start_run(nested=True) as nested:
            assert stepwell.run(str(project), run_id=nested.info.run_id, synchronous=False).wait()
    for run_id in (child.run_id, nested.info.run_id):
        run = stepwell.get_run(run_id)
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.5})
    assert stepwell.get_run(parent.info.run_id).info.status == "FINISHED"


def test_a_project_in_a_project(project: Path) -> None:
    stepwell_command = f"{sys.executable} -c '{MAIN}' run . -e main"
    (project / "MLproject").write_text(FILE + f"  outer:\n    command: {json.dumps(stepwell_command)}\n")
    outer = stepwell.run(str(project), "outer")
    (inner,) = stepwell.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{outer.run_id}'",
        search_all_experiments=True,
        output_format="list",
    )
    assert (inner.info.status, inner.data.metrics) == ("FINISHED", {"loss": 0.5})


def test_cancel(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "number"
    submitted = stepwell.run(str(project), "waits", parameters={"file": str(file)}, synchronous=False)
    until(lambda: file.exists() and file.read_text().strip())
    assert submitted.get_status() == "RUNNING"
    submitted.cancel()
    assert submitted.get_status() == "KILLED"
    assert stepwell.get_run(submitted.run_id).info.status == "KILLED"
    until(lambda: not Path(f"/proc/{file.read_text().strip()}").exists())


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_that_comes_while_the_command_starts_stops_it(project: Path, name: str) -> None:
    experiment = f"at once {name}"
    (project / "MLproject").write_text(
        f"entry_points:\n  main:\n    command: kill -{name} $PPID; sleep 600\n"
    )
    command = [sys.executable, "-c", MAIN, "run", str(project), "--experiment-name", experiment]
    assert subprocess.run(command, timeout=60).returncode == 130
    assert the_run(experiment).info.status == "KILLED"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_all_that_the_command_started(project: Path, tmp_path: Path, number: int) -> None:
    file, experiment = tmp_path / "number", f"signal {int(number)}"
    named = ["--experiment-name", experiment]
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "run", str(project), "-e", "waits", "-P", f"file={file}", *named]
    )
    until(lambda: file.exists() and file.read_text().strip())
    process.send_signal(number)
    assert process.wait(60) == 130
    assert the_run(experiment).info.status == "KILLED"
    until(lambda: not Path(f"/proc/{file.read_text().strip()}").exists())


@pytest.mark.parametrize(
    "away",
    [{"STEPWELL_MODE": "offline"}, {"STEPWELL_TRACKING_URI": NOBODY, "STEPWELL_FLUSH_TIMEOUT_S": "1"}],
    ids=["offline", "away"],
)
def test_without_a_server(project: Path, script: Script, tmp_path: Path, away: dict[str, str]) -> None:
    words = ["-P", "loss=0.125", "--run-name", "away"]
    answer = script(MAIN, "run", str(project), *words, STEPWELL_SPOOL_DIR="waits", **away)
    assert answer.returncode == 0, answer.stderr
    run_id = answer.stdout.split()[1]
    with refused("RESOURCE_DOES_NOT_EXIST"):
        stepwell.get_run(run_id)
    synced = script(MAIN, "sync", "waits", "--to", stepwell.get_tracking_uri())
    assert synced.returncode == 0, synced.stdout + synced.stderr
    run = stepwell.get_run(run_id)
    assert (run.info.run_name, run.data.tags["mlflow.source.type"]) == ("away", "PROJECT")
    assert (run.info.status, run.data.params, run.data.metrics) == (
        "FINISHED",
        {"loss": "0.125"},
        {"loss": 0.125},
    )
    assert "trained" in stepwell.artifacts.load_text(f"runs:/{run_id}/output.log")


def test_a_dry_run_runs_nothing(project: Path) -> None:
    before = len(running())
    told = CliRunner().invoke(run_command, [str(project), "-P", "loss=1", "-P", "more=a b", "--dry-run"])
    assert told.exit_code == 0
    assert told.stdout.splitlines()[-1].split(maxsplit=1) == ["run", "python train.py 1 --more 'a b'"]
    assert len(running()) == before


def test_environments_are_made_once(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_ENVIRONMENTS_DIR", str(tmp_path / "environments"))
    other = Path(shutil.copytree(project, tmp_path / "other"))
    for folder, needs in (
        (project, "dependencies: []"),
        (other, f"dependencies: ['{small_package(tmp_path)}']"),
    ):
        (folder / "python_env.yaml").write_text(needs)
        (folder / "where.py").write_text(WHERE)

    def prefix(folder: Path) -> tuple[str, ...]:
        run_id = stepwell.run(str(folder), "where.py", synchronous=True).run_id
        assert stepwell.get_run(run_id).data.tags["mlflow.project.env"] == "uv"
        return tuple(stepwell.artifacts.load_text(f"runs:/{run_id}/output.log").split())

    with ThreadPoolExecutor(20) as threads:
        found = set(threads.map(prefix, 10 * [project, other]))
    (plain, without), (small, with_it) = sorted(found, key=lambda it: it[1])
    assert (without, with_it) == ("False", "True")
    made = Path(plain).stat().st_ctime_ns
    assert prefix(project) == (plain, "False")
    assert {Path(plain).parent, Path(small).parent} == {tmp_path / "environments"}
    assert Path(plain).stat().st_ctime_ns == made
    run_id = stepwell.run(str(other), "where.py", env_manager="virtualenv").run_id
    assert stepwell.get_run(run_id).data.tags["mlflow.project.env"] == "virtualenv"
    folder, has_it = stepwell.artifacts.load_text(f"runs:/{run_id}/output.log").split()
    assert (folder in (plain, small), has_it) == (False, "True")
    (project / "python_env.yaml").write_text("pip: []")
    with refused("INVALID_PARAMETER_VALUE", "known are build_dependencies, dependencies, python"):
        stepwell.run(str(project), "where.py")


@pytest.mark.parametrize(
    ("program", "asked"),
    [("conda", "env create"), ("mamba", "env create"), ("micromamba", "create")],
)
def test_conda_and_its_likes(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, asked: str
) -> None:
    """By a program that notes how it is called and makes a folder with a Python: the real ones are not at hand."""
    noted, file = tmp_path / "noted", project / "environment.yml"
    fake = tmp_path / "bin" / program
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\necho "$CONDA_ALWAYS_YES $MAMBA_ALWAYS_YES $@" >> {noted}; cat $PIP_CONSTRAINT >> {noted}\n'
        'while [ "$1" != --prefix ]; do shift; done\n'
        f'mkdir -p "$2/bin"; ln -s {sys.executable} "$2/bin/python"; exit $(cat {tmp_path}/code)\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    monkeypatch.setenv("STEPWELL_ENVIRONMENTS_DIR", str(tmp_path / "environments"))
    file.write_text("dependencies: [python=3.11, cudatoolkit=11.8]")
    (project / "MLproject").write_text("conda_env: environment.yml")
    (project / "where.sh").write_text("command -v python; echo $CONDA_PREFIX")
    (tmp_path / "code").write_text("4")
    with refused("INVALID_STATE", f"{program} ended with 4"):
        stepwell.run(str(project), "where.sh")
    (tmp_path / "code").write_text("0")
    run_id = [stepwell.run(str(project), "where.sh").run_id for _ in range(2)][-1]
    python, folder = stepwell.artifacts.load_text(f"runs:/{run_id}/output.log").split()
    assert python == f"{folder}/bin/python"
    assert Path(folder).parent == tmp_path / "environments"
    called = [f"true true {asked} --prefix {folder} --file {file}", f"stepwell @ {extras.origin_url()}"]
    assert noted.read_text().splitlines() == 2 * called
    assert stepwell.get_run(run_id).data.tags["mlflow.project.env"] == "conda"


def test_what_cannot_be_had_is_named_before_anything_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "conda.yaml").write_text("dependencies: [python=3.11, pip, cudatoolkit=11.8, {pip: [numpy]}]")
    monkeypatch.setenv("PATH", "/nowhere")
    with refused("NOT_IMPLEMENTED", re.escape("conda or mamba or micromamba")):
        stepwell.run(str(project))
    with refused("INVALID_PARAMETER_VALUE", re.escape("cudatoolkit=11.8")):
        stepwell.run(str(project), env_manager="uv")
    with refused("INVALID_PARAMETER_VALUE", re.escape("not 'poetry'")):
        stepwell.run(str(project), env_manager="poetry")
