"""The flavors of functions: a class or function that is pickled, code, or a loader module of the user's own."""

import ast
import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from stepwell import extras
from stepwell.errors import invalid
from stepwell.models import code_models, pickles
from stepwell.models.flavor import Flavor, Written
from stepwell.models.inside import named, path_inside
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.pyfunc import artifacts
from stepwell.models.pyfunc.python_model import FunctionModel, PythonModelContext, wrap

PICKLE_FILE = "python_model.pkl"


class PythonFlavor(Flavor):
    """A PythonModel or a function, with files beside it."""

    name = PYFUNC
    loader_module = "mlflow.pyfunc.model"
    distributions: ClassVar[Sequence[str]] = ("cloudpickle",)

    def __init__(
        self, python_model: Any, given: Mapping[str, Any] | None, model_config: Mapping[str, Any] | None
    ) -> None:
        self.python_model = python_model
        self.artifacts = dict(given or {})
        self.model_config = dict(model_config or {})

    def parts(self) -> Sequence[Any]:
        """Return the model."""
        return [self.python_model]

    def write(self, folder: Path) -> Written:
        """Write the pickle, and copy the artifacts."""
        with (folder / PICKLE_FILE).open("wb") as stream:
            pickles.dump(self.python_model, stream)
        config = {
            "python_model": PICKLE_FILE,
            "cloudpickle_version": extras.load("cloudpickle", "Saving this model", "models").__version__,
        }
        return Written(None, {**config, **self._more(folder)})

    def _more(self, folder: Path) -> dict[str, Any]:
        copied = artifacts.copy(self.artifacts, folder)
        return {
            **({"artifacts": copied} if copied else {}),
            **({"config": self.model_config} if self.model_config else {}),
            "streamable": hasattr(self.python_model, "predict_stream"),
        }

    def wrapped(self) -> Any:
        """Return the model with its context, as it will be when it is loaded."""
        context = PythonModelContext(artifacts.local(self.artifacts), self.model_config)
        self.python_model.load_context(context)
        return wrap(self.python_model, context)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the PythonModel."""
        file = named(config, "python_model", folder)
        if file is None:
            raise invalid("MLmodel: python_function names no python_model.")
        return pickles.load(file, config.get("python_model_compression"))

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> Any:
        """Return the model with its context, after load_context."""
        config = model.flavor(PYFUNC)
        python_model = cls.load(folder, config, model_config=model_config)
        context = PythonModelContext(artifacts.paths(config.get("artifacts"), folder), model_config)
        python_model.load_context(context)
        return wrap(python_model, context)


class CodeFlavor(PythonFlavor):
    """A script that says set_model(…)."""

    loader_module = "mlflow.pyfunc.loaders.code_model"
    distributions = ()

    def __init__(
        self, script: Path, given: Mapping[str, Any] | None, model_config: Mapping[str, Any] | None
    ) -> None:
        super().__init__(as_model(code_models.run(script, model_config)), given, model_config)
        self.script = script

    def parts(self) -> Sequence[Any]:
        """Return the modules that the script imports."""
        return [self.python_model, *_imported(self.script)]

    def write(self, folder: Path) -> Written:
        """Copy the script, and the artifacts."""
        shutil.copyfile(self.script, folder / self.script.name)
        return Written(None, {"model_code_path": str(self.script), **self._more(folder)})

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the model that the script sets."""
        # Where it was saved from; beside the description it lies under its name.
        name = str(config.get("model_code_path")).replace("\\", "/").rpartition("/")[2]
        script = path_inside(folder, name, "model_code_path")
        return as_model(code_models.run(script, options.get("model_config")))


class LoaderFlavor(Flavor):
    """A module with _load_pyfunc(path), of the user's own or of a library, and data for it."""

    name = PYFUNC

    def __init__(self, loader_module: str, data_path: Any, model_config: Mapping[str, Any] | None) -> None:
        self.loader = loader_module
        self.data_path = None if data_path is None else Path(data_path)
        self.model_config = dict(model_config or {})
        if self.data_path is not None and not self.data_path.exists():
            raise invalid(f"data_path: {self.data_path} does not exist.")

    def parts(self) -> Sequence[Any]:
        """Return the loader, if it can be imported here."""
        try:
            return [import_module(self.loader)]
        except ImportError:
            return []

    def write(self, folder: Path) -> Written:
        """Copy the data."""
        config = {"config": self.model_config} if self.model_config else {}
        if self.data_path is None:
            return Written(None, config)
        target = folder / "data" / self.data_path.resolve().name
        target.parent.mkdir()
        if self.data_path.is_dir():
            shutil.copytree(self.data_path, target)
        else:
            shutil.copyfile(self.data_path, target)
        return Written(None, {"data": f"data/{target.name}", **config})

    def wrapped(self) -> Any:
        """Return the model as its loader gives it."""
        load = import_module(self.loader)._load_pyfunc
        arguments = [str(self.data_path)] if self.data_path is not None else []
        return load(*arguments, self.model_config) if self.model_config else load(*arguments)

    @property
    def loader_module(self) -> str:  # type: ignore[override]
        """The user's module."""
        return self.loader

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Loaders have no object of their own."""
        raise NotImplementedError

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> Any:
        """Loaders are called by `pyfunc.loading`."""
        raise NotImplementedError


def as_model(given: Any) -> Any:
    """Return a PythonModel as it is, a function as one.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else.
    """
    if hasattr(given, "predict") and hasattr(given, "load_context") and not isinstance(given, type):
        return given
    if not callable(given) or isinstance(given, type):
        raise invalid(
            "python_model must be an instance of PythonModel, a function of one argument, or the path of a script that "
            f"calls set_model; not {given!r}."
        )
    import inspect

    count = len(inspect.signature(given).parameters)
    if count != 1:
        raise invalid(f"A function as model takes exactly one argument, the input; {given!r} takes {count}.")
    return FunctionModel(given)


def _imported(script: Path) -> list[ModuleType]:
    """Return the modules that a script imports, as far as they are in the process."""
    import sys

    names = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {it.name for it in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return [sys.modules[name] for name in sorted(names) if name in sys.modules]
