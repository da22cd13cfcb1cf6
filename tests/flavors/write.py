"""Saves the cases with MLflow or with Stepwell, whatever this Python has:

    python -m tests.flavors.write mlflow FOLDER [CASE ...]

Beside each model lies what it is to predict on, and what it predicted when it was loaded again, as JSON.
"""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.flavors.cases import CASES, Case
from tests.flavors.values import encoded


def write(module: Any, folder: Path, names: list[str]) -> None:
    """Save cases below a folder: those named, or all that the libraries here, and this MLflow, know."""
    for case in (CASES[name] for name in names or CASES):
        if names or (case.has_library() and case.is_known_to(module)):
            _write(module, folder, case)


def _write(module: Any, folder: Path, case: Case) -> None:
    place = folder / case.name
    rows = case.save(module, str(place))  # MLflow takes no Path everywhere
    predicted = module.pyfunc.load_model(str(place)).predict(rows)
    lines = [
        f'{{"python": "{sys.version_info.major}.{sys.version_info.minor}",',
        f' "input": {json.dumps(encoded(rows))},',
        f' "predicted": {json.dumps(encoded(predicted))}}}',
    ]
    place.with_suffix(".json").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Save what the command line names."""
    warnings.simplefilter("ignore")
    module = import_module(sys.argv[1])
    write(module, Path(sys.argv[2]), sys.argv[3:])


if __name__ == "__main__":
    main()
