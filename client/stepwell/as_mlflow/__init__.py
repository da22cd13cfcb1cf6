"""`import mlflow` without MLflow: a folder of modules by its names, each of which is what Stepwell has of it.

modules/            what is put on the path: the package mlflow, and its metadata, so that `find_spec("mlflow")` and
                    `importlib.metadata.version("mlflow")` answer; child processes that inherit the path have it, too
standing_in         how a module there takes its names from ours, and says what is missing
startup             the .pth file that puts the folder on the path when Python starts with STEPWELL_AS_MLFLOW=1
python -m stepwell.as_mlflow train.py …     runs a script, or a module, with it
"""

import importlib
import importlib.util
import sys
from pathlib import Path

from stepwell import settings
from stepwell.errors import StepwellException

# What is put on the path.
MODULES = Path(__file__).parent / "modules"


def install(*, force: bool = False) -> None:
    """Let `import mlflow` import what Stepwell has of it, here and in processes that are started from here.

    Args:
        force: also where the real mlflow is installed, which then is not found.

    Raises:
        StepwellException: INVALID_STATE when the real mlflow is installed (unless forced), or is imported already.
    """
    if "mlflow" in sys.modules:
        if is_ours(getattr(sys.modules["mlflow"], "__file__", None)):
            return
        raise StepwellException(
            "mlflow is imported already; call install_as_mlflow() before anything imports it.",
            "INVALID_STATE",
        )
    real = importlib.util.find_spec("mlflow")
    if real is not None and is_ours(real.origin):
        settings.name_server_for_mlflows_clients()
        return
    if real is not None and not force:
        raise StepwellException(
            f"The real mlflow is installed ({real.origin}), and Stepwell does not take its place unless it is told to: "
            "uninstall it, or force it. With the real one, a tracking URI grpc://… or stepwell://… leads here: see "
            "docs/mlflow-plugin.md.",
            "INVALID_STATE",
        )
    # Before the real one, if there is one; else behind everything.
    sys.path.insert(0 if real else len(sys.path), str(MODULES))
    importlib.invalidate_caches()
    settings.leave_to_children_as_mlflow(str(MODULES))
    # Some callbacks read the variable when they are imported, which may be before mlflow is.
    settings.name_server_for_mlflows_clients()


def is_ours(file: str | None) -> bool:
    """Tell whether a module's file is one of those that stand in for mlflow's."""
    return file is not None and Path(file).is_relative_to(MODULES)
