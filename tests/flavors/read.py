"""Loads with MLflow or with Stepwell what `write` saved, by whomever, and looks whether it predicts the same:

python -m tests.flavors.read mlflow FOLDER
"""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.flavors.cases import CASES
from tests.flavors.values import decoded, difference, encoded


def read(module: Any, place: Path) -> str:
    """Return how the predictions of a saved case differ from those that were recorded; "" if they don't."""
    recorded = json.loads(place.with_suffix(".json").read_text())
    model = module.pyfunc.load_model(str(place))
    return difference(encoded(model.predict(decoded(recorded["input"]))), recorded["predicted"])


def main() -> None:
    """Read what lies in the folder that the command line names, one line a case."""
    warnings.simplefilter("ignore")
    module, folder = import_module(sys.argv[1]), Path(sys.argv[2])
    for place in sorted(folder.glob("*.json")):
        if CASES[place.stem].is_known_to(module):
            difference = read(module, place.with_suffix(""))
            # Keras draws on the line that it is on.
            sys.stdout.write(f"\n{place.stem}: {difference or 'same'}\n")


if __name__ == "__main__":
    main()
