"""What MLflow saved loads here, and predicts the same, without MLflow; see recorded/record.py."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

RECORDED = Path(__file__).parent / "recorded"
MODELS = sorted(it.parent for it in RECORDED.glob("*/*/MLmodel"))

LOAD = """
import json, sys, warnings

class NoMlflow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mlflow" and not {may_import}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NoMlflow())
warnings.simplefilter("ignore")  # of versions of scikit-learn
import numpy, pandas, stepwell

found = {{}}
for name in sys.argv[2:]:
    with open(sys.argv[1] + "/expected.json") as file:
        given = json.load(file)[name]
    data = pandas.DataFrame(given["data"]) if isinstance(given["data"], dict) else given["data"]
    model = stepwell.pyfunc.load_model(sys.argv[1] + "/" + name)
    found[name] = numpy.asarray(model.predict(data, params=given["params"])).tolist()
print(json.dumps(found))
if not {may_import}:
    assert not any(it.partition(".")[0] == "mlflow" for it in sys.modules)
"""


def of_this_python(folder: Path) -> bool:
    """Functions that are pickled by value are of one minor version of Python."""
    version = str(
        yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]["python_version"]
    )
    return version.split(".")[:2] == [str(it) for it in sys.version_info[:2]]


def test_there_are_models_of_both_generations() -> None:
    assert {it.parent.name.partition(".")[0] for it in MODELS} == {"2", "3"}
    assert {it.name for it in MODELS} == {
        *("sklearn", "skops", "python_model", "function", "hints", "function_hints", "code", "loader")
    }


@pytest.mark.parametrize("version", sorted({it.parent.name for it in MODELS}))
@pytest.mark.parametrize("from_code", [False, True])
def test_recorded_models_predict_the_same(version: str, from_code: bool) -> None:
    # A script that is a model imports what it was written with, MLflow; all others load without it.
    folders = [it for it in MODELS if it.parent.name == version and (it.name == "code") is from_code]
    names = [it.name for it in folders if of_this_python(it) or not (it / "python_model.pkl").exists()]
    expected = json.loads((RECORDED / version / "expected.json").read_text())
    script = LOAD.format(may_import=from_code)
    done = subprocess.run(
        [sys.executable, "-c", script, str(RECORDED / version), *names], stdout=subprocess.PIPE, check=True
    )
    assert json.loads(done.stdout) == {name: expected[name]["predictions"] for name in names}


def test_pickles_of_mlflow_are_not_run_where_pickles_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import stepwell

    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")
    for folder in MODELS:
        if (folder / "python_model.pkl").exists() or (folder / "model.pkl").exists():
            with pytest.raises(stepwell.StepwellException, match="STEPWELL_ALLOW_PICKLE"):
                stepwell.pyfunc.load_model(folder)


OURS = """
import json, sys, warnings
import numpy, pandas, pydantic
import stepwell as mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
features, kinds = load_iris(return_X_y=True, as_frame=True)
folder = sys.argv[1]
rows = features.iloc[[0, 60, 120]]


class Message(pydantic.BaseModel):
    role: str


class Roles(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Message]) -> list[str]:
        return [it.role for it in model_input]


class Scaled(mlflow.pyfunc.PythonModel):
    def __init__(self, factor):
        self.factor = factor

    def load_context(self, context):
        with open(context.artifacts["word"]) as file:
            self.word = file.read()

    def predict(self, context, model_input, params=None):
        return model_input["x"] * self.factor + params["offset"] + context.model_config["more"]


with open(folder + "/word.txt", "w") as file:
    file.write("hello")
model = LogisticRegression(max_iter=200).fit(features, kinds)
mlflow.sklearn.save_model(model, folder + "/sklearn", input_example=rows)
mlflow.pyfunc.save_model(folder + "/roles", python_model=Roles())
mlflow.pyfunc.save_model(folder + "/function", python_model=lambda data: [len(it) for it in data["text"]])
frame = pandas.DataFrame({"x": [1.0]})
mlflow.pyfunc.save_model(
    folder + "/scaled",
    python_model=Scaled(3.0),
    artifacts={"word": folder + "/word.txt"},
    model_config={"more": 0.5},
    input_example=(frame, {"offset": 1.0}),
)
"""

STOCK = """
import json, sys, warnings

class NoStepwell:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "stepwell":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoStepwell())
warnings.simplefilter("ignore")
import mlflow, pandas
from sklearn.datasets import load_iris

rows = load_iris(return_X_y=True, as_frame=True)[0].iloc[[0, 60, 120]]
load = lambda name: mlflow.pyfunc.load_model(f"{sys.argv[1]}/{name}")
sklearn, scaled = load("sklearn"), load("scaled")
assert sklearn.metadata.signature.inputs.input_names() == list(rows.columns)
assert sklearn.input_example.shape == (3, 4)
print(json.dumps({
    "sklearn": sklearn.predict(rows).tolist(),
    "native": mlflow.sklearn.load_model(f"{sys.argv[1]}/sklearn").predict(rows).tolist(),
    "roles": load("roles").predict([{"role": "user"}]),
    "function": load("function").predict(pandas.DataFrame({"text": ["a", "bc"]})),
    "scaled": scaled.predict(pandas.DataFrame({"x": [1.0]}), params={"offset": 2.0}).tolist(),
    "default": scaled.predict(pandas.DataFrame({"x": [1.0]})).tolist(),
    "word": scaled.unwrap_python_model().word,
}))
"""


def test_what_is_saved_here_loads_in_mlflow_without_stepwell(tmp_path: Path) -> None:
    run: Any = lambda script: subprocess.run(  # noqa: E731
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, check=True
    )
    run(OURS)
    assert json.loads(run(STOCK).stdout) == {
        "sklearn": [0, 1, 2],
        "native": [0, 1, 2],
        "roles": ["user"],
        "function": [1, 2],
        "scaled": [5.5],
        "default": [4.5],
        "word": "hello",
    }
