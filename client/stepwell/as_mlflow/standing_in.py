"""How a module of mlflow's name gets its names from ours, and what is said of those that Stepwell does not have."""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import Any

# Modules of one class or two, which scripts import although the module above has them as well: it is asked for them.
# All others have files.
INNER = {
    "mlflow.data": "dataset numpy_dataset pandas_dataset",
    "mlflow.entities": "dataset dataset_input experiment experiment_tag file_info input_tag lifecycle_stage "
    "logged_model logged_model_status metric param run run_data run_info run_inputs run_status run_tag source_type "
    "view_type",
    "mlflow.entities.model_registry": "model_version model_version_tag registered_model registered_model_alias "
    "registered_model_tag",
    "mlflow.pyfunc": "model",
    "mlflow.store.entities": "paged_list",
}


def stand_in(
    namespace: dict[str, Any], *sources: str, later: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Fill the module of a namespace with the names of ours.

    What ours load with the first use, these do as well. A name that is nowhere raises AttributeError or, where it is
    imported, ModuleNotFoundError: both name it and say what to do.

    Args:
        namespace: globals() of the module.
        sources: names of our modules; of two that have a name, the first one counts.
        later: more names, with the modules that have them, which need a library.
    """
    modules = [import_module(source) for source in sources]
    for module in reversed(modules):
        names = getattr(module, "__all__", None) or [name for name in vars(module) if name[0] != "_"]
        namespace.update({name: vars(module)[name] for name in names if name in vars(module)})
    # Each is a package, so that `from mlflow.x import y` asks for the module mlflow.x.y where x has no y.
    namespace.setdefault("__path__", [])
    namespace["__getattr__"] = _getter(namespace["__name__"], modules, later)


def _getter(name: str, modules: Sequence[ModuleType], later: Mapping[str, str]) -> Callable[[str], Any]:
    def get(attribute: str) -> Any:
        if not attribute.startswith("__"):
            if attribute in later:
                return getattr(import_module(later[attribute]), attribute)
            if _is_there(f"{name}.{attribute}"):
                return import_module(f"{name}.{attribute}")
            for module in modules:
                if hasattr(module, attribute):
                    return getattr(module, attribute)
        raise AttributeError(missing(f"{name}.{attribute}"))

    return get


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def missing(name: str) -> str:
    """Return what is said of something that MLflow has, maybe, and Stepwell has not."""
    return (
        f"Stepwell stands in for mlflow here, and has no {name}. Where it is needed, install the package mlflow "
        "itself, with Stepwell's plugin for it: docs/mlflow-plugin.md."
    )


class Inner(Loader):
    """Finds and loads the modules of INNER."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec, or None for other modules."""
        outer, _, inner = name.rpartition(".")
        if inner not in INNER.get(outer, "").split():
            return None
        return ModuleSpec(name, Inner(), origin=sys.modules[outer].__file__, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Give it the names of the one above."""
        stand_in(vars(module), module.__name__.rpartition(".")[0])


class Missing:
    """The last finder of modules: says of those below mlflow that nobody has found what they are."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return None for other modules. Raises ModuleNotFoundError for those below mlflow."""
        if name.startswith("mlflow."):
            raise ModuleNotFoundError(missing(name))
        return None


def name_what_is_missing() -> None:
    """Have imports of modules below mlflow find what is within others, and say so where there is nothing."""
    if Missing not in sys.meta_path:
        sys.meta_path += [Inner, Missing]
