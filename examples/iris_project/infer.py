"""Says which flowers a trained classifier sees; run it with `stepwell run -e infer`."""

import sys

import joblib
import pandas as pd

import stepwell


def infer(model_file: str, input_file: str) -> None:
    """Count the flowers of each kind."""
    model = joblib.load(model_file)
    flowers = pd.read_csv(input_file).drop(columns="Species", errors="ignore")
    found = pd.Series(model.predict(flowers)).value_counts()
    with stepwell.start_run():
        stepwell.log_metrics({f"{name} flowers": int(count) for name, count in found.items()})
    print(found.to_string())


if __name__ == "__main__":
    infer(sys.argv[1], sys.argv[2])
