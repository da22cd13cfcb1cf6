"""Runs a script, or a module, that imports mlflow, without MLflow; or has Python do so whenever it starts."""

import argparse
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

from stepwell import as_mlflow
from stepwell.as_mlflow import startup
from stepwell.errors import StepwellException

PROGRAM = "python -m stepwell.as_mlflow"


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__, allow_abbrev=False)
    parser.add_argument("--force", action="store_true", help="also where the real mlflow is installed")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "-m", dest="module", metavar="MODULE", nargs=argparse.REMAINDER, help="a module and its arguments"
    )
    what.add_argument(
        "--install",
        action="store_true",
        help=f"from now on, wherever {startup.VARIABLE}=1 is set: adds a .pth file",
    )
    what.add_argument("--remove", action="store_true", help="undo --install")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="a script and its arguments")
    given = parser.parse_args(arguments)
    try:
        if given.install:
            print(f"{startup.install()} is there: {startup.VARIABLE}=1 python … imports Stepwell as mlflow.")  # noqa: T201
        elif given.remove:
            removed = startup.remove()
            print(f"{removed} is removed." if removed else "There is nothing to remove.")  # noqa: T201
        elif given.module or given.script:
            if given.script:
                _look_for_script(given.script[0])
                # As `python script` does; before what may have to come first.
                sys.path[0] = str(Path(given.script[0]).resolve().parent)
            as_mlflow.install(force=given.force)
            if given.module:
                _look_for_module(given.module[0])
        else:
            parser.error("name a script, or -m and a module")
    except (StepwellException, OSError) as failure:
        parser.exit(1, f"{PROGRAM}: {failure}\n")
    if given.module:
        _run_module(given.module)
    elif given.script:
        _run_script(given.script)


def _look_for_script(name: str) -> None:
    if not Path(name).exists():
        raise FileNotFoundError(f"there is no script {name!r} in {Path.cwd()}")


def _look_for_module(name: str) -> None:
    try:
        is_there = find_spec(name) is not None
    except (
        ModuleNotFoundError
    ) as failure:  # of a package that it is said to be in; else Python itself says more
        is_there = not name.startswith(f"{failure.name}.")
    except ValueError:  # it has no spec
        is_there = True
    if not is_there:
        raise FileNotFoundError(f"there is no module {name!r}; a file is named without -m")


def _run_script(command: list[str]) -> None:
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


def _run_module(command: list[str]) -> None:
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
