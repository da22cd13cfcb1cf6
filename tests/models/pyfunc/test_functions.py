"""Classes, functions, scripts and loader modules as models: there and back."""

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import BaseModel

import stepwell
from stepwell import StepwellException, pyfunc
from stepwell.models import infer_signature, pickles


class Scaled(pyfunc.PythonModel):
    """Multiplies, with a word from a file."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def load_context(self, context: Any) -> None:
        self.word = Path(context.artifacts["word"]).read_text()

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input * self.factor + (params or {}).get("offset", 0.0)


class Message(BaseModel):
    role: str
    count: int | None = None


class Roles(pyfunc.PythonModel):
    def predict(self, model_input: list[Message]) -> list[str]:
        return [it.role for it in model_input]


def shout(words: list[str]) -> list[str]:
    return [it.upper() for it in words]


def test_a_class_with_artifacts_config_and_params(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "word.txt").write_text("hello")
    pyfunc.save_model(
        tmp_path / "model",
        python_model=Scaled(3.0),
        artifacts={"word": str(tmp_path / "word.txt")},
        model_config={"a": 1, "b": 2},
        input_example=(pd.DataFrame({"x": [1.0, 2.0]}), {"offset": 1.5}),
    )
    (tmp_path / "word.txt").unlink()
    model = pyfunc.load_model(tmp_path / "model", model_config={"b": 3, "zz": 9})
    assert model.predict(pd.DataFrame({"x": [1.0]}))["x"].tolist() == [4.5]
    assert model.predict(pd.DataFrame({"x": [1.0]}), params={"offset": 2})["x"].tolist() == [5.0]
    assert model.unwrap_python_model().word == "hello"
    assert model.model_config == {"a": 1, "b": 3}
    assert "zz" in caplog.text
    with pytest.raises(NotImplementedError):
        model.get_raw_model()
    said = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())["flavors"]["python_function"]
    assert said["loader_module"] == "mlflow.pyfunc.model"
    assert said["artifacts"] == {"word": {"path": "artifacts/word.txt", "uri": str(tmp_path / "word.txt")}}
    assert said["config"] == {"a": 1, "b": 2}


def test_artifacts_of_one_name_lie_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.txt").write_text(folder)

    class Words(pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return [Path(context.artifacts[it]).read_text() for it in model_input]

    given = {name: str(tmp_path / name / "w.txt") for name in ("one", "two")}
    pyfunc.save_model(tmp_path / "model", python_model=Words(), artifacts=given)
    assert pyfunc.load_model(tmp_path / "model").predict(["two", "one"]) == ["two", "one"]


def test_a_function(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda data: [it * 2 for it in data])
    assert pyfunc.load_model(tmp_path / "model").predict([1, 2]) == [2, 4]


def test_a_function_takes_one_argument(tmp_path: Path) -> None:
    with pytest.raises(StepwellException, match="exactly one argument"):
        pyfunc.save_model(tmp_path / "model", python_model=lambda one, two: one)
    with pytest.raises(StepwellException, match="PythonModel, a function"):
        pyfunc.save_model(tmp_path / "model", python_model=Scaled)


def test_type_hints_are_the_signature_and_are_checked(tmp_path: Path) -> None:
    other = infer_signature(pd.DataFrame({"x": [1]}))
    pyfunc.save_model(tmp_path / "shout", python_model=shout, signature=other)
    model = pyfunc.load_model(tmp_path / "shout")
    assert repr(model.metadata.signature.inputs) == "[string (required)]"
    assert model.predict(["a"]) == ["A"]
    assert model.predict(pd.DataFrame({"anything": ["a", "b"]})) == ["A", "B"]
    with pytest.raises(StepwellException) as refused:
        model.predict([1, "a"])
    assert "type hint `list[str]`, invalid elements: [('1', 'Expected type str, but got int')]" in str(
        refused.value
    )
    said = yaml.safe_load((tmp_path / "shout" / "MLmodel").read_text())
    assert said["is_signature_from_type_hint"] is True


def test_dicts_become_what_the_hint_says(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=Roles())
    model = pyfunc.load_model(tmp_path / "model")
    assert model.predict([{"role": "user"}, Message(role="system")]) == ["user", "system"]
    assert (
        repr(model.metadata.signature.inputs)
        == "[{count: long (optional), role: string (required)} (required)]"
    )
    with pytest.raises(StepwellException, match="role"):
        model.predict([{"count": 1}])


CODE = """
import stepwell as mlflow


class Plus(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return [it + context.model_config["n"] for it in model_input]


config = mlflow.models.ModelConfig(development_config={"n": 0})
assert config.get("n") in (0, 5, 6)
mlflow.models.set_model(Plus())
"""


def test_models_from_code(tmp_path: Path) -> None:
    (tmp_path / "plus.py").write_text(CODE)
    pyfunc.save_model(tmp_path / "model", python_model=tmp_path / "plus.py", model_config={"n": 5})
    assert not list((tmp_path / "model").glob("*.pkl"))
    assert pyfunc.load_model(tmp_path / "model").predict([1]) == [6]
    assert pyfunc.load_model(tmp_path / "model", model_config={"n": 6}).predict([1]) == [7]


def test_code_that_sets_no_model(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("x = 1\n")
    with pytest.raises(StepwellException, match="sets no model"):
        pyfunc.save_model(tmp_path / "model", python_model=str(tmp_path / "none.py"))
    with pytest.raises(StepwellException, match=r"path of a \.py file"):
        pyfunc.save_model(tmp_path / "model", python_model=str(tmp_path / "missing.py"))
    assert not (tmp_path / "model").exists()


LOADER = """
class Constant:
    def __init__(self, text):
        self.text = text

    def predict(self, data):
        return [self.text] * len(data)


def _load_pyfunc(path):
    with open(path) as file:
        return Constant(file.read())
"""


def test_a_loader_module_with_its_data_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "constant_loader.py").write_text(LOADER)
    (tmp_path / "data.txt").write_text("word")
    monkeypatch.setattr(sys, "path", list(sys.path))
    pyfunc.save_model(
        tmp_path / "model",
        loader_module="constant_loader",
        data_path=tmp_path / "data.txt",
        code_paths=[tmp_path / "constant_loader.py"],
    )
    model = pyfunc.load_model(tmp_path / "model")
    assert model.predict([1, 2]) == ["word", "word"]
    assert model.loader_module == "constant_loader"
    with pytest.raises(StepwellException, match="no PythonModel"):
        model.unwrap_python_model()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"python_model": shout, "loader_module": "x"}, "cannot be specified together"),
        ({}, "Either `loader_module` or `python_model` must be specified"),
        ({"python_model": 5}, "must be an instance of PythonModel"),
        ({"loader_module": "x", "data_path": "/nowhere/at/all"}, "does not exist"),
        ({"python_model": shout, "model_config": "/nowhere.yaml"}, "is no file"),
        (
            {"python_model": shout, "pip_requirements": [], "extra_pip_requirements": []},
            "Only one of `conda_env`, `pip_requirements`, and `extra_pip_requirements`",
        ),
        ({"python_model": shout, "signature": "double"}, "must be a ModelSignature"),
        ({"python_model": shout, "artifacts": {"x": "/nowhere"}}, "nothing at '/nowhere'"),
    ],
)
def test_what_is_no_model(tmp_path: Path, options: dict[str, Any], why: str) -> None:
    with pytest.raises(StepwellException, match=why):
        pyfunc.save_model(tmp_path / "model", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_fails_on_its_example_is_saved_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda data: 1 / 0, input_example=[1.0])
    assert "ZeroDivisionError" in caplog.text
    model = pyfunc.load_model(tmp_path / "model")
    assert model.metadata.signature is None
    assert model.input_example == [1.0]


def test_a_refused_input_names_data_schema_column_expected_and_got(tmp_path: Path) -> None:
    data = pd.DataFrame({"x": [1.0]})
    pyfunc.save_model(tmp_path / "model", python_model=lambda it: it, signature=infer_signature(data, data))
    with pytest.raises(StepwellException) as refused:
        pyfunc.load_model(tmp_path / "model").predict(pd.DataFrame({"x": ["1"]}, dtype=object))
    text = refused.value.message
    assert text.startswith("Failed to enforce schema of data '")
    assert "with schema '['x': double (required)]'. Error: Incompatible input types for column x." in text
    assert "to float64 (double)" in text


def test_without_a_signature_data_goes_as_it_is(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda it: type(it).__name__)
    model = pyfunc.load_model(tmp_path / "model")
    assert model.predict({1, 2}) == "set"
    assert model.predict(np.zeros(1)) == "ndarray"


def test_streams(tmp_path: Path) -> None:
    class Stream(pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return list(model_input)

        def predict_stream(self, context: Any, model_input: Any) -> Any:
            yield from model_input

    pyfunc.save_model(tmp_path / "model", python_model=Stream())
    assert list(pyfunc.load_model(tmp_path / "model").predict_stream([1, 2])) == [1, 2]
    pyfunc.save_model(tmp_path / "other", python_model=lambda it: it)
    with pytest.raises(StepwellException, match="no predict_stream"):
        pyfunc.load_model(tmp_path / "other").predict_stream([1])


def test_pickles_name_mlflows_class_and_no_module_of_ours(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        "import sys\n"
        "import stepwell as mlflow\n"
        "class Twice(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input: list[int]):\n"
        "        return [it * 2 for it in model_input]\n"
        "mlflow.pyfunc.save_model(sys.argv[1], python_model=Twice())\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    was_there = "mlflow" in sys.modules  # by other tests
    subprocess.run([sys.executable, str(tmp_path / "run.py"), str(tmp_path / "model")], check=True)
    content = (tmp_path / "model" / "python_model.pkl").read_bytes()
    assert b"mlflow.pyfunc.model:PythonModel" in content
    assert b"mlflow.pyfunc.utils.data_validation:_validate_model_input" in content
    named = set()

    class Names(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            named.add(module)
            return pickles.of_mlflow if name == "resolve_name" else super().find_class(module, name)

    Names(io.BytesIO(content)).load()
    assert named <= {"builtins", "cloudpickle.cloudpickle", "functools", "pkgutil", "types", "typing"}
    assert stepwell.pyfunc.load_model(tmp_path / "model").predict([2]) == [4]
    assert ("mlflow" in sys.modules) is was_there
