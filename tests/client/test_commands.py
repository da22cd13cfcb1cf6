"""stepwell experiments and stepwell runs."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import stepwell as mlflow
from stepwell.commands.access.login import whoami
from stepwell.commands.artifacts import artifacts
from stepwell.commands.experiments import experiments
from stepwell.commands.runs import runs
from stepwell.runs import new
from stepwell.wire.calls import Calls
from tests.client.conftest import Script

pytestmark = pytest.mark.usefixtures("tracking_uri")

GROUPS = {"experiments": experiments, "runs": runs}


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(GROUPS[words[0]], words[1:])
    assert result.exit_code == code, result.output
    return result.output


def call_json(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


@pytest.fixture
def new_run() -> Callable[..., str]:
    def log(name: str, loss: float) -> str:
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_param("name", name)
            mlflow.log_param("same", "x")
            for step in range(3):
                mlflow.log_metric("loss", loss + step, step=step)
        return run.info.run_id

    return log


def test_experiments(tmp_path: Path, new_run: Callable[..., str]) -> None:
    name = mlflow.settings.experiment_name()
    assert name is not None
    number = call_json("experiments", "create", "--experiment-name", name)["experiment_id"]
    assert "already exists" in call("experiments", "create", "-n", name, code=1)
    first = new_run("first", 1.0)
    assert name in call("experiments", "list", "--filter", f"name = '{name}'")
    assert [
        one["experiment_id"] for one in call_json("experiments", "list", "--filter", f"name = '{name}'")
    ] == [number]
    assert call_json("experiments", "get", "-n", name)["experiment_id"] == number
    assert number in call("experiments", "get", "--experiment-id", number)
    assert number in call("experiments", "search", "--filter", f"name = '{name}'")
    call("experiments", "csv", "-x", number, "-o", str(tmp_path / "runs.csv"))
    [row] = csv.DictReader((tmp_path / "runs.csv").read_text().splitlines())
    assert (row["run_id"], row["metrics.loss"], row["params.name"]) == (first, "3.0", "first")
    assert json.loads(call("experiments", "export", "-x", number, "--json"))["info"]["run_id"] == first
    assert "deleted" in call("experiments", "delete", "-x", number)
    assert call_json("experiments", "get", "-x", number)["lifecycle_stage"] == "deleted"
    assert call_json("experiments", "restore", "-x", number) == {"experiment_id": number}
    call("experiments", "rename", "-x", number, "--new-name", f"{name} new")
    assert call_json("experiments", "get", "-x", number)["name"] == f"{name} new"
    assert "Give --experiment-id or" in call("experiments", "get", code=2)
    assert "no experiment" in call("experiments", "get", "-n", "nobody", code=1)


def test_runs(tmp_path: Path, new_run: Callable[..., str]) -> None:
    first, second = new_run("first", 1.0), new_run("second", 2.0)
    number = mlflow.get_run(first).info.experiment_id
    listed = call("runs", "list", "-x", number, "--order-by", "metrics.loss DESC", "--column", "metrics.loss")
    assert listed.index(second[:12]) < listed.index(first[:12])
    assert [
        one["info"]["run_id"]
        for one in call_json("runs", "list", "-x", number, "--filter", "metrics.loss < 4")
    ] == [first]
    assert "params.same" in call("runs", "show", "--run-id", first)
    assert call_json("runs", "describe", "--run-id", first)["metrics"]["loss"]["value"] == 3.0
    assert call("runs", "show", first) == call("runs", "show", "--run-id", first)
    assert "Give the id of one run" in call("runs", "show", code=2)
    assert "Give the id of one run" in call("runs", "show", first, "--run-id", first, code=2)
    different = call_json("runs", "diff", first, second)
    assert different["params.name"] == {first: "first", second: "second"}
    assert not {"params.same", "run_id", "artifact_uri"} & set(different)
    assert "params.same" in call("runs", "diff", first, second, "--all")
    assert "at least two" in call("runs", "diff", first, code=2)
    [point] = [json.loads(line) for line in call("runs", "tail", "--run-id", first, "--json").splitlines()]
    assert (point["key"], point["step"], point["value"]) == ("loss", 2, 3.0)
    assert "step 2  loss 3" in call("runs", "tail", "--run-id", first, "--metric", "loss")
    call("runs", "export", "--run-id", first, "--run-id", second, "-o", str(tmp_path / "runs.json"))
    exported = [json.loads(line) for line in (tmp_path / "runs.json").read_text().splitlines()]
    assert [[step, value] for step, _, value in exported[0]["histories"]["loss"]] == [
        [0, 1.0],
        [1, 2.0],
        [2, 3.0],
    ]
    assert call_json("runs", "delete", "--run-id", first) == {"run_id": first}
    assert len(call_json("runs", "list", "-x", number)) == 1
    assert "restored" in call("runs", "restore", "--run-id", first)
    assert len(call_json("runs", "list", "-x", number)) == 2
    assert "no run with id" in call("runs", "show", "--run-id", "0" * 32, code=1)


def test_runs_are_listed_whole_and_a_limit_says_that_there_are_more(new_run: Callable[..., str]) -> None:
    ids = [new_run(f"run {number}", 1.0) for number in range(3)]
    number = mlflow.get_run(ids[0]).info.experiment_id
    assert [one["info"]["run_id"] for one in call_json("runs", "list", "-x", number)] == ids[::-1]
    result = CliRunner().invoke(runs, ["list", "-x", number, "--limit", "2", "--json"])
    assert [one["info"]["run_id"] for one in json.loads(result.stdout)] == ids[:0:-1]
    assert "more than these 2" in result.stderr
    assert "more than" not in call("runs", "list", "-x", number, "--limit", "3")
    everywhere = CliRunner().invoke(runs, ["list", "--limit", "2", "--json"])
    assert len(json.loads(everywhere.stdout)) == 2


def test_a_column_that_no_run_has_is_an_error(new_run: Callable[..., str]) -> None:
    number = mlflow.get_run(new_run("one", 1.0)).info.experiment_id
    assert "None of the runs has 'metrics.nosuch'" in call(
        "runs", "list", "-x", number, "--column", "metrics.nosuch", code=1
    )


def test_a_name_that_nothing_has_is_said_with_what_there_is(new_run: Callable[..., str]) -> None:
    mlflow.set_experiment("digits")
    run_id = new_run("one", 1.0)
    assert "no experiment 'digts'. Did you mean 'digits'?" in call("runs", "list", "-n", "digts", code=1)
    assert "no experiment 'quite else'.\n" in call("runs", "list", "-n", "quite else", code=1)
    assert "has no metric 'los'; it has: loss." in call("runs", "tail", run_id, "--metric", "los", code=1)


def test_the_beginning_of_an_id_is_enough(new_run: Callable[..., str], tracking_uri: str) -> None:
    run_id = new_run("one", 1.0)
    assert call_json("runs", "show", run_id[:12])["info"]["run_id"] == run_id
    nobody = "0" * 31 if not run_id.startswith("0") else "f" * 31
    assert "No run's id begins with" in call("runs", "show", nobody, code=1)
    twins = [f"abcdef{'0' * 25}{end}" for end in "12"]
    for twin in twins:
        Calls(tracking_uri).create_run(new.spec(twin, None, "twin", {}))
    assert all(twin in call("runs", "show", "abcdef000000", code=1) for twin in twins)


def test_a_run_is_shown_with_its_data_files_and_children() -> None:
    with mlflow.start_run() as parent:
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_input(mlflow.data.from_numpy(np.arange(3), name="numbers"))
        with mlflow.start_run(nested=True, run_name="inner") as child:
            pass
    shown = call("runs", "show", parent.info.run_id)
    assert "dataset numbers" in shown
    assert "artifact notes/" in shown
    assert "child inner" in shown
    plain = call_json("runs", "show", parent.info.run_id)
    assert plain["children"] == [child.info.run_id]
    assert plain["datasets"][0]["dataset"]["name"] == "numbers"
    assert [info["path"] for info in plain["artifacts"]] == ["notes"]


def test_what_is_logged_is_text_and_no_order_to_the_terminal() -> None:
    prompt, name = "[INST] [red]Hi[/red] [/INST]", "a\x1b]0;title\x07\x9b2J"
    written_out = r"a\x1b]0;title\x07\x9b2J"
    with mlflow.start_run(run_name=name) as run:
        mlflow.log_param("prompt", prompt)
        mlflow.log_text("x", f"{name}.txt")
    other = mlflow.StepwellClient().create_run(run.info.experiment_id).info.run_id
    for words in (["show", run.info.run_id], ["diff", run.info.run_id, other, "--all"]):
        shown = call("runs", *words)
        assert (prompt in shown, written_out in shown) == (True, True)
    assert written_out in call("runs", "list")
    listed = CliRunner().invoke(artifacts, ["list", run.info.run_id]).output
    assert listed.split() == ["1", f"{written_out}.txt"]


def test_names_that_the_output_has_no_letters_for_are_written_out(script: Script) -> None:
    with mlflow.start_run(run_name="größe 日本"):
        pass
    answer = script("from stepwell.cli import main; main()", "runs", "list", PYTHONIOENCODING="ascii")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert r"gr\xf6\xdfe \u65e5\u672c" in answer.stdout


def test_programs_get_all_letters_whatever_the_output_has(script: Script, tmp_path: Path) -> None:
    name = "größe 日本 \U0001f600"
    with mlflow.start_run(run_name=name) as run:
        pass
    main, run_id = "from stepwell.cli import main; main()", run.info.run_id
    shown = script(main, "runs", "show", run_id, "--json", PYTHONIOENCODING="cp1252")
    assert json.loads(shown.stdout)["info"]["run_name"] == name, shown.stderr
    ascii_alone = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    written = script(main, "runs", "export", run_id, "-o", "run.json", **ascii_alone)
    assert (written.returncode, written.stderr) == (0, "")
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["info"]["run_name"] == name


@pytest.mark.parametrize("words", ["models delete a", "artifacts rm RUN --all", "login"])
def test_without_standard_input_nobody_answers(new_run: Callable[..., str], words: str) -> None:
    text = (
        "import os; os.close(0); os.execv(sys.executable, [sys.executable, '-m', 'stepwell', *sys.argv[1:]])"
    )
    given = words.replace("RUN", new_run("a", 0.5)).split()
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; {text}", *given], capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert "Error: " in answer.stderr.splitlines()[-1]


def test_a_time_beyond_the_calendar_keeps_nobody_from_other_runs(new_run: Callable[..., str]) -> None:
    """As nanoseconds are, where milliseconds are meant."""
    usual, time_ns = new_run("usual", 1.0), 1_700_000_000_000_000_000
    client = mlflow.StepwellClient()
    experiment_id = client.get_run(usual).info.experiment_id
    odd = client.create_run(experiment_id, start_time=time_ns).info.run_id
    client.log_metric(odd, "loss", 1.0, timestamp=time_ns)
    client.set_terminated(odd, end_time=2**63 - 1)
    for words in (["list"], ["show", odd], ["tail", odd], ["diff", odd, usual, "--all"]):
        assert str(time_ns) in call("runs", *words)
    [_, row] = csv.DictReader(call("experiments", "export", "-x", experiment_id).splitlines())
    assert (row["run_id"], row["end_time"]) == (odd, str(2**63 - 1))
    frame = mlflow.search_runs([experiment_id], order_by=["start_time"])
    assert list(frame["run_id"]) == [usual, odd]
    assert frame["start_time"].isna().tolist() == [False, True]


def test_every_command_takes_a_server_and_h(script: Script, tracking_uri: str) -> None:
    for group in GROUPS.values():
        for name, command in group.commands.items():
            assert any("--tracking-uri" in option.opts for option in command.params), name
            assert "--tracking-uri" in call(group.name, name, "-h")
    away = {"STEPWELL_TRACKING_URI": "grpc://127.0.0.1:1"}
    text = "import sys; from stepwell.cli import main; sys.argv[1:] = sys.argv[1:]; main()"
    listed = script(text, "experiments", "list", "--json", "--tracking-uri", tracking_uri, **away)
    assert "Default" in [one["name"] for one in json.loads(listed.stdout)], listed.stderr


@pytest.mark.parametrize(
    ("words", "file", "reason"),
    [
        (["runs", "export", "RUN", "--filename", "/dev/full"], "", "No space left on device"),
        (
            ["artifacts", "download", "--run-id", "RUN", "-d", "/proc/x"],
            "/proc/x: ",
            "No such file or directory",
        ),
    ],
)
def test_what_cannot_be_written_is_one_line(
    script: Script, new_run: Callable[..., str], words: list[str], file: str, reason: str
) -> None:
    run_id = new_run("a", 0.5)
    main = "from stepwell.cli import main; main()"
    answer = script(main, *(run_id if word == "RUN" else word for word in words))
    assert (answer.returncode, answer.stderr) == (1, f"Error: {file}{reason}\n")


def test_without_accounts_one_is_nobody_and_may_do_everything() -> None:
    shown, plain = (CliRunner().invoke(whoami, words) for words in ([], ["--json"]))
    assert (shown.exit_code, "without accounts" in shown.output) == (0, True)
    who = json.loads(plain.output)
    assert (plain.exit_code, who["name"], who["admin"]) == (0, None, True)


@pytest.mark.parametrize("words", ["runs list --json", "runs list", "runs export RUN"])
def test_output_that_finds_no_room_is_one_line(
    tracking_uri: str, new_run: Callable[..., str], words: str
) -> None:
    run_id = new_run("a", 0.5)
    text = "from stepwell.cli import main; main()"
    command = [sys.executable, "-c", text, *words.replace("RUN", run_id).split()]
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [*command, "--tracking-uri", tracking_uri], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (answer.returncode, answer.stderr) == (1, "Error: No space left on device\n")


def test_what_only_mlflow_has_is_named(script: Script) -> None:
    answer = script("from stepwell.cli import main; main()", "db", "upgrade")
    assert answer.returncode == 1
    assert "by itself when it starts" in answer.stderr


def test_the_server_may_be_named_before_the_command(script: Script, tracking_uri: str) -> None:
    main = "from stepwell.cli import main; main()"
    for words in (
        ["--tracking-uri", tracking_uri, "experiments", "list"],
        ["experiments", "--tracking-uri", tracking_uri, "list"],
        ["experiments", "list", "--tracking-uri", tracking_uri],
    ):
        answer = script(
            main, *words, STEPWELL_TRACKING_URI="grpc://127.0.0.1:9", STEPWELL_REACH_TIMEOUT_S="1"
        )
        assert (answer.returncode, "Default" in answer.stdout) == (0, True), answer.stderr
