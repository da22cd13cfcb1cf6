"""`stepwell artifacts` against a real server."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stepwell import StepwellClient
from stepwell.commands.artifacts import artifacts

pytestmark = pytest.mark.usefixtures("tracking_uri")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(artifacts, arguments)


def test_the_trip_of_a_file(tmp_path: Path) -> None:
    run_id = StepwellClient().create_run("0").info.run_id
    (tmp_path / "f" / "sub").mkdir(parents=True)
    (tmp_path / "f" / "a.txt").write_text("a" * 1_234)
    (tmp_path / "f" / "sub" / "b").write_text("b")
    assert (
        run("log", "-r", run_id, "-a", "in", str(tmp_path / "f"), str(tmp_path / "f" / "a.txt")).exit_code
        == 0
    )
    listed = run("list", "-r", run_id, "-a", "in", "-R").output.splitlines()
    assert [line.split() for line in listed] == [
        ["1,234", "in/a.txt"],
        ["in/f/"],
        ["1,234", "in/f/a.txt"],
        ["in/f/sub/"],
        ["1", "in/f/sub/b"],
    ]
    assert run("list", run_id[:8], "-a", "in", "-R").output.splitlines() == listed
    for options in ([run_id, "-a", "in/f"], ["-r", run_id, "-a", "in/f"], ["-u", f"runs:/{run_id}/in/f"]):
        answer = run("download", *options, "-d", str(tmp_path / "out"))
        assert answer.output == f"{tmp_path / 'out' / 'in' / 'f'}\n"
        assert (tmp_path / "out" / "in" / "f" / "sub" / "b").read_text() == "b"
    assert run("rm", "-r", run_id, "-a", "in/f", "-y").output == "2 files removed.\n"
    assert CliRunner().invoke(artifacts, ["rm", "-r", run_id, "--all"], input="n\n").exit_code == 1
    assert run("rm", "-r", run_id, "--all", "-y").output == "1 file removed.\n"
    assert run("list", "-r", run_id).output == ""


def test_programs_read_json(tmp_path: Path) -> None:
    run_id = StepwellClient().create_run("0").info.run_id
    (tmp_path / "f" / "süb").mkdir(parents=True)
    (tmp_path / "f" / "süb" / "a b").write_text("b")
    answers = [
        json.loads(run(*arguments, "-r", run_id, "--json").output)
        for arguments in (
            ["log", str(tmp_path / "f")],
            ["list", "-R"],
            ["download", "-d", str(tmp_path)],
            ["rm", "--all", "-y"],
            ["list"],
        )
    ]
    assert answers == [
        {"run_id": run_id, "logged": 1},
        [
            {"path": "f", "is_dir": True, "file_size": None},
            {"path": "f/süb", "is_dir": True, "file_size": None},
            {"path": "f/süb/a b", "is_dir": False, "file_size": 1},
        ],
        {"path": str(tmp_path)},
        {"run_id": run_id, "removed": 1},
        [],
    ]


def test_what_goes_wrong_is_one_line() -> None:
    run_id = StepwellClient().create_run("0").info.run_id
    for arguments, text in (
        (["download", "-r", run_id, "-a", "nowhere"], "has no artifact 'nowhere'"),
        (["list", "-r", "x"], "32 hexadecimal digits"),
        (["rm", "-r", run_id, "-a", "nowhere", "-y"], "has no artifact"),
        (["rm", "-r", run_id], "either --artifact-path or --all"),
        (["rm", run_id, "--all"], "Nobody answers here; -y does it without asking"),
        (["list"], "Give the id of one run"),
        (["list", run_id, "-r", run_id], "Give the id of one run"),
        (["verify", run_id, "--all"], "either the id of a run or --all"),
        (["download"], "either the id of a run or --artifact-uri"),
    ):
        answer = run(*arguments)
        assert answer.exit_code != 0
        assert text in answer.output
        assert "Traceback" not in answer.output


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    run_id = StepwellClient().create_run("0").info.run_id
    (tmp_path / "a.txt").write_text("a")
    assert run("log", "-r", run_id, "-a", "in", str(tmp_path / "a.txt")).exit_code == 0
    answer = run("list", "-r", run_id, "-a", "nothere")
    assert (answer.exit_code, "no artifact 'nothere'" in answer.output) == (1, True)
    assert run("list", "-r", run_id[:14], "-a", "in/a.txt").output.split() == ["1", "in/a.txt"]
