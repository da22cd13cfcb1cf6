"""The package as scripts see it, and the command line around it."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import stepwell
from stepwell import cli, extras
from stepwell.files import media


def test_the_version_is_that_of_the_distribution() -> None:
    assert stepwell.__version__ == importlib.metadata.version("stepwell")


def test_every_public_name_is_there() -> None:
    assert all(hasattr(stepwell, name) for name in stepwell.__all__)


def test_importing_it_loads_nothing_heavy() -> None:
    """What most scripts never use, or use later; each of these takes longer than the package itself."""
    heavy = [
        "grpc",
        "google.protobuf",
        "numpy",
        "ssl",
        "http.client",
        "urllib.request",
        "asyncio",
        "click",
        "yaml",
    ]
    text = f"import sys, stepwell; print(*(sys.modules.keys() & {heavy!r}))"
    done = subprocess.run([sys.executable, "-I", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_mlflows_names() -> None:
    assert stepwell.MlflowClient is stepwell.tracking.MlflowClient is stepwell.StepwellClient
    assert stepwell.MlflowException is stepwell.exceptions.MlflowException is stepwell.StepwellException
    assert stepwell.entities.ViewType.ALL == 3


def test_a_command_that_is_not_installed() -> None:
    answer = CliRunner().invoke(cli._unavailable("server", "asyncpg"), ["--port", "7"])
    assert answer.exit_code == 1
    assert "'server' needs asyncpg" in answer.output
    assert extras.install_hint("server") in answer.output


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        (None, "pip install 'stepwell[cli]'"),
        ('{"url": "https://example.org/s.whl"}', "pip install 'stepwell[cli]'"),
        ('{"url": "file:///a%20b", "dir_info": {"editable": true}}', "pip install -e '/a b[cli]'"),
        ('{"url": "file:///a/s.whl", "archive_info": {}}', "pip install '/a/s.whl[cli]'"),
    ],
)
def test_hints_say_how_this_installation_is_extended(
    origin: str | None, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(read_text=lambda _: origin)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: found)
    assert extras.install_hint("cli") == hint


def test_a_library_is_named_as_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("sklearn", "sklearn.base", "PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, missing, None)
    for name in ("sklearn", "sklearn.base"):
        with pytest.raises(
            stepwell.StepwellException, match=r"needs scikit-learn, .* pip install scikit-learn\."
        ):
            extras.library(name, "A model", "scikit-learn")
    with pytest.raises(stepwell.StepwellException, match="log_video of an array needs Pillow"):
        media.save_video([[[0.5]]], Path("film.gif"), 4)


def test_the_command_line_shows_its_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["stepwell", "--version"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert stepwell.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve"], "No such command 'serve'. Did you mean 'server'?"),
        (["quux"], "No such command 'quux'."),
        (["db", "upgrade"], "There is no command 'db': the server brings"),
        (["--tracking-uri", "nonsense", "whoami"], "Error: The tracking URI 'nonsense' cannot be used"),
    ],
)
def test_what_is_mistyped_is_named_in_one_line(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["stepwell", *words])
    with pytest.raises(SystemExit):
        cli.main()
    assert said in capsys.readouterr().err


def test_help_says_whole_what_each_command_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["stepwell", "--help"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert "audit" in listed
    assert "..." not in listed


def test_python_runs_it_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stepwell", "--version"], capture_output=True, text=True, check=True
    )
    assert stepwell.__version__ in done.stdout
