"""Record models that MLflow itself saves, for tests that load them without it.

    python -m venv /tmp/mlflow && /tmp/mlflow/bin/pip install 'mlflow-skinny==2.22.1' scikit-learn 'pandas<3' skops
    cp tests/models/recorded/record.py /tmp && cd /tmp && /tmp/mlflow/bin/python record.py <this folder>

Writes `<MLflow's version>/<what>/`, with `expected.json` beside the models: what each predicts for which input. Pickles
of functions hold bytecode, so that they are of one minor version of Python, which MLmodel says; and paths of who made
them, which is why it runs elsewhere.
"""

import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
HERE = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
PLAIN = {"pip_requirements": []}
FEATURES, KINDS = load_iris(return_X_y=True, as_frame=True)
ROWS = FEATURES.iloc[[0, 60, 120]]


class Scaled(mlflow.pyfunc.PythonModel):
    def __init__(self, factor):
        self.factor = factor

    def load_context(self, context):
        self.word = Path(context.artifacts["word"]).read_text()

    def predict(self, context, model_input, params=None):
        return (
            model_input["x"] * self.factor + (params or {}).get("offset", 0.0) + context.model_config["more"]
        )


class Shout(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return [it.upper() for it in model_input]


def lengths(data):
    return [len(it) for it in data["text"]]


def count(words: list[str]) -> list[int]:
    return [len(it) for it in words]


CODE = """
import mlflow.pyfunc
from mlflow.models import set_model


class Plus(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return [it + context.model_config["n"] for it in model_input]


set_model(Plus())
"""
LOADER = """
import pathlib


class Constant:
    def __init__(self, text):
        self.text = text

    def predict(self, data):
        return [self.text] * len(data)


def _load_pyfunc(path):
    return Constant(pathlib.Path(path).read_text())
"""


def main() -> None:
    target = HERE / mlflow.__version__
    shutil.rmtree(target, ignore_errors=True)
    expected = {}

    def saved(name, save, data, params=None, **options):
        folder = target / name
        save(path=str(folder), **PLAIN, **options)
        for file in ("conda.yaml", "python_env.yaml"):
            (folder / file).unlink()
        model = mlflow.pyfunc.load_model(str(folder))
        found = model.predict(data, params=params) if params else model.predict(data)
        plain = data.to_dict("list") if isinstance(data, pd.DataFrame) else data
        expected[name] = {"data": plain, "params": params, "predictions": np.asarray(found).tolist()}

    model = LogisticRegression(max_iter=200).fit(FEATURES, KINDS)
    example = {"input_example": ROWS, "signature": mlflow.models.infer_signature(ROWS, model.predict(ROWS))}
    saved(
        "sklearn",
        mlflow.sklearn.save_model,
        ROWS,
        sk_model=model,
        serialization_format="cloudpickle",
        metadata={"team": "botany"},
        **example,
    )
    if not mlflow.__version__.startswith("2."):
        saved(
            "skops", mlflow.sklearn.save_model, ROWS, sk_model=model, serialization_format="skops", **example
        )
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (
            ("word.txt", "hello"),
            ("plus.py", CODE),
            ("constant_loader_of_mlflow.py", LOADER),
        ):
            Path(folder, name).write_text(text)
        saved(
            "python_model",
            mlflow.pyfunc.save_model,
            frame,
            {"offset": 2.0},
            python_model=Scaled(3.0),
            artifacts={"word": str(Path(folder, "word.txt"))},
            model_config={"more": 0.5},
            signature=mlflow.models.infer_signature(frame, frame["x"], params={"offset": 1.0}),
        )
        saved("hints", mlflow.pyfunc.save_model, ["a", "b"], python_model=Shout())
        texts = pd.DataFrame({"text": ["a", "bc"]})
        saved(
            "function",
            mlflow.pyfunc.save_model,
            texts,
            python_model=lengths,
            signature=mlflow.models.infer_signature(texts, [1]),
        )
        saved("function_hints", mlflow.pyfunc.save_model, ["a", "bc"], python_model=count)
        saved(
            "code",
            mlflow.pyfunc.save_model,
            [1, 2],
            python_model=str(Path(folder, "plus.py")),
            model_config={"n": 5},
        )
        sys.path.insert(0, folder)
        saved(
            "loader",
            mlflow.pyfunc.save_model,
            [1, 2],
            loader_module="constant_loader_of_mlflow",
            data_path=str(Path(folder, "word.txt")),
            code_paths=[str(Path(folder, "constant_loader_of_mlflow.py"))],
        )
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
