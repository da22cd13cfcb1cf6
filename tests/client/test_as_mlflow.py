"""`import mlflow` without MLflow, in Pythons that have none, and where the real one is installed."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from stepwell.as_mlflow import MODULES, install, startup
from stepwell.errors import StepwellException

SCRIPT_S = 120.0
# What integrations of others import: see docs/mlflow-plugin.md.
IMPORTED = """
    mlflow mlflow.artifacts mlflow.client mlflow.config mlflow.data mlflow.data.pandas_dataset mlflow.entities
    mlflow.entities.run_status mlflow.entities.model_registry mlflow.entities.model_registry.model_version
    mlflow.entities.model_registry.model_version_stages mlflow.entities.model_registry.model_version_status
    mlflow.environment_variables mlflow.exceptions mlflow.models mlflow.models.signature mlflow.projects
    mlflow.protos.databricks_pb2 mlflow.pyfunc mlflow.pyfunc.backend mlflow.pytorch mlflow.sklearn
    mlflow.pyfunc.model mlflow.store.artifact.runs_artifact_repo mlflow.store.db.db_types mlflow.store.entities
    mlflow.store.entities.paged_list mlflow.utils.environment mlflow.utils.file_utils mlflow.utils.time
    mlflow.tracking mlflow.tracking.artifact_utils mlflow.tracking.client
    mlflow.tracking.context.registry mlflow.tracking.fluent mlflow.types mlflow.types.schema mlflow.utils.mlflow_tags
    mlflow.utils.validation mlflow.version
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with all that this one has, but for MLflow."""
    place = tmp_path_factory.mktemp("without") / "mlflow"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=SCRIPT_S)
    packages = next(place.glob("lib/python3*/site-packages"))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith("mlflow") and not (packages / entry.name).exists():
            (packages / entry.name).symlink_to(entry)
    return place / "bin" / "python"


def run(python: object, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STEPWELL_"))
    }
    return subprocess.run(
        [str(python), *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=SCRIPT_S,
        check=False,
    )


def test_a_script_runs_unchanged(python: Path, tmp_path: Path, tracking_uri: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import importlib, importlib.metadata, importlib.util, multiprocessing, os, subprocess, sys\n"
        "import mlflow, stepwell\n"
        "import beside\n"
        "def child(run_id):\n"
        "    mlflow.tracking.MlflowClient().log_metric(run_id, 'spawned', 1.0)\n"
        "if __name__ == '__main__':\n"
        f"    for name in {IMPORTED!r}.split():\n"
        "        module = importlib.import_module(name)\n"
        "        assert importlib.util.find_spec(name).name == name, name\n"
        "        assert 'as_mlflow' in module.__spec__.origin, module.__spec__\n"
        "    assert importlib.metadata.version('mlflow') == mlflow.__version__ == mlflow.version.VERSION\n"
        "    assert mlflow.log_metric is stepwell.log_metric\n"
        "    assert mlflow.sklearn.log_model is stepwell.sklearn.log_model\n"
        "    assert mlflow.tracking.fluent.log_params is mlflow.log_params\n"
        "    assert mlflow.utils.validation.MAX_PARAM_VAL_LENGTH == 6000\n"
        "    assert mlflow.tracking.context.registry.resolve_tags({'a': 'b'})['mlflow.source.name'] == sys.argv[0]\n"
        "    assert mlflow.entities.run_status.RunStatus is mlflow.entities.RunStatus\n"
        "    assert mlflow.data.pandas_dataset.PandasDataset is stepwell.data.Dataset\n"
        "    mlflow.config.enable_async_logging()\n"
        "    with mlflow.utils.file_utils.TempDir() as folder:\n"
        "        assert os.path.isdir(folder.path())\n"
        "    assert not os.path.exists(folder.path())\n"
        "    from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository as runs\n"
        "    assert mlflow.environment_variables.MLFLOW_TRACKING_URI.get() == mlflow.get_tracking_uri()\n"
        "    mlflow.set_experiment('stood in')\n"
        "    with mlflow.start_run() as run:\n"
        "        mlflow.log_param('arguments', sys.argv[1:])\n"
        "        process = multiprocessing.get_context('spawn').Process(target=child, args=(run.info.run_id,))\n"
        "        process.start(); process.join(); assert process.exitcode == 0\n"
        "        subprocess.run([sys.executable, '-c', 'import mlflow, sys; mlflow.log_metric(\"of a child\", 2, "
        "run_id=sys.argv[1])', run.info.run_id], check=True)\n"
        "    assert mlflow.tracking.artifact_utils.get_artifact_uri(run.info.run_id, 'x').endswith('/x')\n"
        "    assert runs.get_underlying_uri(f'runs:/{run.info.run_id}/x') == run.info.artifact_uri + '/x'\n"
        "    assert mlflow.tracking.fluent._get_experiment_id() == run.info.experiment_id\n"
        "    found = mlflow.get_run(run.info.run_id).data\n"
        "    assert found.metrics == {'spawned': 1.0, 'of a child': 2.0}, found\n"
        "    print(found.params['arguments'])\n"
    )
    (tmp_path / "beside.py").touch()
    done = run(
        python,
        *("-W", "error", "-m", "stepwell.as_mlflow", str(script), "--lr", "0.1", "-m"),
        STEPWELL_TRACKING_URI=tracking_uri,
    )
    assert (done.returncode, done.stdout) == (0, "['--lr', '0.1', '-m']\n"), done.stderr


def test_modules_and_wrong_command_lines(python: Path, tmp_path: Path) -> None:
    (tmp_path / "package_of_a_test.py").write_text(
        "import mlflow, sys; print(mlflow.__name__, sys.argv[1:])\n"
    )
    command = ("-m", "stepwell.as_mlflow")
    done = run(python, *command, "-m", "package_of_a_test", "--force", "x", PYTHONPATH=str(tmp_path))
    assert done.stdout == "mlflow ['--force', 'x']\n", done.stderr
    assert "name a script" in run(python, *command).stderr
    for wrong, said in (
        ((str(tmp_path / "gone.py"),), "there is no script"),
        (("-m", "gone"), "there is no module 'gone'"),
        (("-m", "json.gone"), "there is no module 'json.gone'"),
        (("-m", "gone.too"), "there is no module 'gone.too'"),
    ):
        done = run(python, *command, *wrong)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (1, True, False), (
            done.stderr
        )


def test_it_can_be_there_whenever_python_starts(python: Path, tracking_uri: str) -> None:
    says = ("-c", "import mlflow, sys; print(mlflow.log_metric.__module__)")
    assert "No module named 'mlflow'" in run(python, *says, STEPWELL_AS_MLFLOW="1").stderr
    installed = run(python, "-m", "stepwell.as_mlflow", "--install")
    assert startup.NAME in installed.stdout, installed.stderr
    try:
        for on in ("1", "true"):
            assert run(python, *says, STEPWELL_AS_MLFLOW=on).stdout == "stepwell.fluent\n"
        assert "No module named 'mlflow'" in run(python, *says).stderr
        assert "No module named 'mlflow'" in run(python, *says, STEPWELL_AS_MLFLOW="False").stderr
        reads = ("-c", "import os; print(os.environ['MLFLOW_TRACKING_URI'])")
        given = {"STEPWELL_AS_MLFLOW": "1", "STEPWELL_TRACKING_URI": tracking_uri}
        assert run(python, *reads, **given).stdout == f"{tracking_uri}\n"
        # Nothing of Stepwell is loaded for who does not import mlflow.
        quiet = run(python, "-c", "import sys; print('stepwell' in sys.modules)", STEPWELL_AS_MLFLOW="1")
        assert quiet.stdout == "False\n"
    finally:
        assert "is removed" in run(python, "-m", "stepwell.as_mlflow", "--remove").stdout
    assert "nothing to remove" in run(python, "-m", "stepwell.as_mlflow", "--remove").stdout
    assert "No module named 'mlflow'" in run(python, *says, STEPWELL_AS_MLFLOW="1").stderr


MISSING = {
    "import mlflow.langchain": "mlflow.langchain",
    "from mlflow import langchain": "mlflow.langchain",
    "from mlflow.entities import Trace": "mlflow.entities.Trace",
    "from mlflow.sklearn import no_such": "mlflow.sklearn.no_such",
    "mlflow.trace": "mlflow.trace",
    "mlflow.evaluate()": "mlflow.evaluate",
    "mlflow.utils.rest_utils": "mlflow.utils.rest_utils",
    "mlflow.spark.autolog()": "mlflow.spark.autolog",
}


def test_what_is_missing_is_named(python: Path) -> None:
    done = run(
        python,
        "-c",
        "import json, sys, stepwell; stepwell.install_as_mlflow()\n"
        "import mlflow, mlflow.spark\n"
        "assert not hasattr(mlflow, 'langchain')\n"
        "mlflow.spark.autolog(disable=True)\n"
        "for statement in json.loads(sys.argv[1]):\n"
        "    try: exec(statement)\n"
        "    except (ImportError, AttributeError, stepwell.StepwellException) as error: print(error)\n",
        json.dumps(list(MISSING)),
    )
    said = done.stdout.splitlines()
    assert len(said) == len(MISSING), done.stderr
    for line, named in zip(said, MISSING.values(), strict=True):
        assert line.startswith(f"Stepwell stands in for mlflow here, and has no {named}."), line


def test_the_real_mlflow_goes_first_unless_forced(tmp_path: Path) -> None:
    refused = run(sys.executable, "-c", "import stepwell; stepwell.install_as_mlflow()")
    assert "The real mlflow is installed" in refused.stderr
    command = ("-m", "stepwell.as_mlflow")
    assert "uninstall it, or force it" in run(sys.executable, *command, __file__).stderr
    (tmp_path / "train.py").write_text("import mlflow; print(mlflow.log_metric.__module__)\n")
    assert run(sys.executable, *command, "--force", str(tmp_path / "train.py")).stdout == "stepwell.fluent\n"
    forced = run(
        sys.executable,
        "-c",
        "import stepwell; stepwell.install_as_mlflow(force=True); stepwell.install_as_mlflow()\n"
        "import mlflow, importlib.metadata, json\n"
        "from mlflow.protos import databricks_pb2 as codes\n"
        "from mlflow.utils import mlflow_tags, validation\n"
        "constants = {**vars(validation), **vars(mlflow_tags)}\n"
        "named = {name: value for name, value in constants.items() if name.isupper()}\n"
        "numbers = {name: getattr(codes, name) for name in codes.ErrorCode._NUMBERS}\n"
        "print(json.dumps([mlflow.__file__, importlib.metadata.version('mlflow'), named, numbers]))\n",
    )
    file, version, named, numbers = json.loads(forced.stdout)
    assert Path(file).is_relative_to(MODULES)
    # What is said there is what MLflow says.
    real = run(
        sys.executable,
        "-c",
        "import json, sys, importlib.metadata\n"
        "from mlflow.protos import databricks_pb2 as codes\n"
        "from mlflow.utils import mlflow_tags, validation\n"
        "found = lambda name: getattr(validation, name, None) or getattr(mlflow_tags, name, None)\n"
        "names, numbers = json.loads(sys.argv[1])\n"
        "print(json.dumps([{it: found(it) for it in names}, {it: codes.ErrorCode.Value(it) for it in numbers}]))\n",
        json.dumps([list(named), list(numbers)]),
        MLFLOW_DISABLE_TELEMETRY="true",
    )
    assert json.loads(real.stdout) == [named, numbers], real.stderr
    assert version == (
        next(MODULES.glob("*.dist-info")).name.removeprefix("mlflow-").removesuffix(".dist-info")
    )


def test_mlflow_that_is_imported_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    real = type(sys)("mlflow")
    real.__file__ = "/elsewhere/mlflow/__init__.py"
    monkeypatch.setitem(sys.modules, "mlflow", real)
    with pytest.raises(StepwellException, match="imported already"):
        install(force=True)
    monkeypatch.setitem(sys.modules, "mlflow", type(sys)("mlflow"))  # such as one of a test, without a file
    with pytest.raises(StepwellException, match="imported already"):
        install()


def test_whoever_reads_mlflows_variable_finds_our_default(python: Path) -> None:
    says = (
        "import os; print(os.environ['MLFLOW_TRACKING_URI']); import mlflow; print(mlflow.get_tracking_uri())"
    )
    done = run(python, "-c", f"import stepwell; stepwell.install_as_mlflow(); {says}")
    assert done.stdout.split() == ["http://127.0.0.1:5000"] * 2, done.stderr
