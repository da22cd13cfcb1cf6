"""What a model needs: what is found, what the user says instead, what is written, and what is told at load."""

import logging
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import stepwell
from stepwell import StepwellException
from stepwell.models.environment import distributions, mismatches, modules, requirements


def written(folder: Path) -> list[str]:
    return (folder / "requirements.txt").read_text().split("\n")


def test_modules_of_what_an_object_is_made_of(pipeline: Any) -> None:
    assert {"sklearn", "numpy"} <= modules.modules_of([pipeline])
    assert modules.modules_of([[{"a": (np.zeros(1), "text", 5)}]]) == {"numpy"}
    assert modules.modules_of([1, "a", None, stepwell.StepwellClient]) == set()


def test_functions_of_the_script_tell_what_they_use(monkeypatch: pytest.MonkeyPatch) -> None:
    main = types.ModuleType("__main__")
    exec(
        "import numpy as np\n"
        "def inner(x):\n    import sklearn.base\n    return sklearn.base.clone(x)\n"
        "def outer(x):\n    return inner(np.asarray(x))\n"
        "class Model:\n    def predict(self, x):\n        return outer(x)\n"
        "unused = __import__('yaml')\n",
        main.__dict__,
    )
    import sklearn.base  # noqa: F401 - as it is where the function runs

    assert modules.modules_of([main.Model()]) >= {"numpy", "sklearn"}  # type: ignore[attr-defined]
    assert "yaml" not in modules.modules_of([main.Model()])  # type: ignore[attr-defined]


def test_modules_of_the_users_own_tell_what_they_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_code_of_test.py").write_text("import numpy\nclass Thing:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_code_of_test  # type: ignore[import-not-found]

    assert modules.modules_of([own_code_of_test.Thing()]) >= {"own_code_of_test", "numpy"}
    del sys.modules["own_code_of_test"]


def test_names_of_distributions() -> None:
    assert distributions.pins(["sklearn", "yaml", "PIL", "no_such_module"], ["scikit-learn"]) == [
        f"pillow=={version('pillow')}",
        f"PyYAML=={version('PyYAML')}",
        f"scikit-learn=={version('scikit-learn')}",
    ]


def test_local_versions_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    distributions.installed_version.cache_clear()
    monkeypatch.setattr(distributions.metadata, "version", lambda name: "2.13.0+cpu")
    assert distributions.installed_version("torch") == "2.13.0"
    distributions.installed_version.cache_clear()


def test_what_the_user_says(pipeline: Any, tmp_path: Path) -> None:
    save = stepwell.sklearn.save_model
    save(pipeline, tmp_path / "own", pip_requirements=["scikit-learn", "tool==1.0"])
    assert written(tmp_path / "own") == ["scikit-learn", "tool==1.0"]
    save(pipeline, tmp_path / "extra", extra_pip_requirements=["tool==1.0", "numpy<3"])
    lines = written(tmp_path / "extra")
    assert lines[-2:] == ["tool==1.0", "numpy<3"]
    assert [it.partition("=")[0] for it in lines[:-2]] == ["cloudpickle", "scikit-learn"]
    (tmp_path / "constraints.txt").write_text("numpy<3\n")
    (tmp_path / "more.txt").write_text("other  # for a reason\n")
    (tmp_path / "all.txt").write_text("# all\ntool \\\n  ==1.0\n-r more.txt\n-c constraints.txt\n")
    save(pipeline, tmp_path / "file", pip_requirements=str(tmp_path / "all.txt"))
    assert written(tmp_path / "file") == ["tool   ==1.0", "other", "-c constraints.txt"]
    assert (tmp_path / "file" / "constraints.txt").read_text() == "numpy<3"


def test_conda_environments(pipeline: Any, tmp_path: Path) -> None:
    environment = {"name": "x", "dependencies": ["python=3.10.4", "pip", {"pip": ["tool==1.0"]}]}
    (tmp_path / "env.yaml").write_text(yaml.safe_dump(environment))
    for name, given in (("dict", environment), ("file", str(tmp_path / "env.yaml"))):
        stepwell.sklearn.save_model(pipeline, tmp_path / name, conda_env=given)
        assert yaml.safe_load((tmp_path / name / "conda.yaml").read_text()) == environment
        assert written(tmp_path / name) == ["tool==1.0"]
        assert yaml.safe_load((tmp_path / name / "python_env.yaml").read_text())["python"] == "3.10.4"


def test_files_that_mlflow_reads(pipeline: Any, tmp_path: Path) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    said = yaml.safe_load((tmp_path / "model" / "python_env.yaml").read_text())
    assert list(said) == ["python", "build_dependencies", "dependencies"]
    assert said["dependencies"] == ["-r requirements.txt"]
    conda = yaml.safe_load((tmp_path / "model" / "conda.yaml").read_text())
    assert conda["dependencies"][-1] == {"pip": written(tmp_path / "model")}


@pytest.mark.parametrize(
    "options",
    [
        {"pip_requirements": "/nowhere.txt"},
        {"pip_requirements": 5},
        {"pip_requirements": {"a": 1}},
        {"conda_env": "/nowhere.yaml"},
        {"conda_env": [1]},
        {"code_paths": ["/nowhere/at/all"]},
        {"metadata": [1]},
    ],
)
def test_what_is_none(pipeline: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(StepwellException) as refused:
        stepwell.sklearn.save_model(pipeline, tmp_path / "model", **options)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert list(tmp_path.iterdir()) == []


def test_files_that_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r a.txt\n")
    with pytest.raises(StepwellException, match="include each other"):
        requirements.given(str(tmp_path / "a.txt"), "pip_requirements")


def test_other_versions_are_told_once_a_load(
    pipeline: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stepwell.sklearn.save_model(
        pipeline,
        tmp_path / "model",
        pip_requirements=["scikit-learn==0.1", "nowhere-at-all==1.0", "numpy", "mlflow==1.0"],
    )
    with caplog.at_level(logging.WARNING, "stepwell"):
        stepwell.sklearn.load_model(tmp_path / "model")
    told = [it.message for it in caplog.records if "other versions" in it.message]
    assert len(told) == 1
    here = version("scikit-learn")
    assert f"scikit-learn 0.1 (here: {here}), nowhere-at-all 1.0 (here: not installed)" in told[0]
    assert mismatches.mismatches(tmp_path) == []
    caplog.clear()
    stepwell.pyfunc.load_model(tmp_path / "model", suppress_warnings=True)
    assert "other versions" not in caplog.text


def test_code_goes_along_and_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package_of_test"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "x.pyc").write_bytes(b"")
    (package / "__init__.py").write_text("def double(data):\n    return [it * 2 for it in data]\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    import package_of_test  # type: ignore[import-not-found]

    stepwell.pyfunc.save_model(
        tmp_path / "model", python_model=package_of_test.double, code_paths=[str(package)]
    )
    assert not list((tmp_path / "model").rglob("*.pyc"))
    del sys.modules["package_of_test"]
    sys.path.remove(str(tmp_path))
    assert stepwell.pyfunc.load_model(tmp_path / "model").predict([2]) == [4]
    assert sys.modules["package_of_test"].__file__ == str(
        tmp_path / "model" / "code" / "package_of_test" / "__init__.py"
    )
    del sys.modules["package_of_test"]


def test_a_folder_that_holds_the_model_itself_can_be_code(
    pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "own.py").write_text("x = 1\n")
    stepwell.sklearn.save_model(
        pipeline, tmp_path / "project" / "model", code_paths=[str(tmp_path / "project")]
    )
    copied = tmp_path / "project" / "model" / "code" / "project"
    assert [it.name for it in copied.iterdir()] == ["own.py"]
