"""The files of a model of PyTorch, in the folder `data`.

model.pth      a pickle in a zip container, with pickle_module_info.txt beside it; or TorchScript, which is no pickle
model.pt2      what torch.export made: a graph and its weights
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from logging import getLogger
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.errors import StepwellException, invalid
from stepwell.models import pickles

PICKLED_FILE = "model.pth"
EXPORTED_FILE = "model.pt2"
PICKLE_MODULE_FILE = "pickle_module_info.txt"
# The name by which MLflow imports what `torch_pickle` is here.
PICKLE_MODULE_DEFAULT = "mlflow.pytorch.pickle_module"
CPU, GPU = "cpu", "cuda"

_log = getLogger("stepwell")


def torch() -> Any:
    """Return the library."""
    return extras.library("torch", "A model of PyTorch", "torch")


def pickle_module(name: str) -> Any:
    """Return the module by which a model was pickled.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when it is not installed.
    """
    if name == PICKLE_MODULE_DEFAULT:
        extras.load("cloudpickle", "A pickled model of PyTorch", "models")
        name = "stepwell.models.flavors.torch_pickle"
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise StepwellException(
            f"The model was pickled by the module {name!r}, which is not installed here.",
            "RESOURCE_DOES_NOT_EXIST",
        ) from None


def write_pickled(model: Any, data: Path, module: Any, name: str, keywords: dict[str, Any]) -> None:
    """Write a module as model.pth; a ScriptModule by its own means."""
    (data / PICKLE_MODULE_FILE).write_text(name, encoding="utf-8")
    file = data / PICKLED_FILE
    if isinstance(model, torch().jit.ScriptModule):
        model.save(str(file))
    else:
        torch().save(model, file, pickle_module=module, **keywords)


def write_exported(model: Any, data: Path, inputs: Sequence[Any]) -> None:
    """Write a module as model.pt2, made with these arrays or tensors as inputs.

    Their first dimension may be any number later, where the example has more than one row.
    """
    library = torch()
    tensors = tuple(library.as_tensor(each) for each in inputs)
    shapes = tuple({0: library.export.Dim.AUTO} if each.ndim else None for each in tensors)
    with in_eval_mode(model):
        library.export.save(
            library.export.export(model, tensors, dynamic_shapes=shapes), data / EXPORTED_FILE
        )


def read(data: Path, device: str | None = None, **keywords: Any) -> Any:
    """Return the module that lies in a folder, or is a file, in evaluation mode, on a device if one is named.

    Args:
        data: the folder.
        device: such as "cpu" or "cuda:1"; where it was if None, but on the CPU where there is no GPU.
        keywords: go to torch.load.
    """
    if data.is_dir() and not (data / PICKLED_FILE).exists():
        return _read_exported(data / EXPORTED_FILE, device)
    file = data / PICKLED_FILE if data.is_dir() else data
    keywords.setdefault("map_location", device or (None if torch().cuda.is_available() else CPU))
    model = _read_script(file, keywords) if _is_script(file) else _read_pickled(file, keywords)
    model.eval()
    return model.to(device) if device else model


def default_device() -> str:
    """Return where predictions are made if nobody said so: the first GPU if there is one."""
    return GPU if torch().cuda.is_available() else CPU


def _read_pickled(file: Path, keywords: dict[str, Any]) -> Any:
    pickles.check_allowed(file)
    told = file.parent / PICKLE_MODULE_FILE
    name = told.read_text(encoding="utf-8").strip() if told.is_file() else PICKLE_MODULE_DEFAULT
    chosen = keywords.setdefault("pickle_module", None)
    if chosen is None:
        keywords["pickle_module"] = pickle_module(name)
    elif chosen.__name__ != name:
        _log.warning("The model was pickled by the module %s, and is read by %s.", name, chosen.__name__)
    keywords.setdefault("weights_only", False)
    with pickles.explained(file):
        return torch().load(file, **keywords)


def _read_script(file: Path, keywords: dict[str, Any]) -> Any:
    return torch().jit.load(str(file), map_location=keywords["map_location"])


def _read_exported(file: Path, device: str | None) -> Any:
    if not file.is_file():
        raise StepwellException(
            f"The model has neither {PICKLED_FILE} nor {EXPORTED_FILE} in its folder {file.parent.name}.",
            "RESOURCE_DOES_NOT_EXIST",
        )
    # It holds pickles for whatever is no tensor.
    pickles.check_allowed(file)
    library = torch()
    program = library.export.load(file)
    if device and any(
        tensor.device.type != library.device(device).type for tensor in program.state_dict.values()
    ):
        program = library.export.passes.move_to_device_pass(program, device)
    return program.module()


def _is_script(file: Path) -> bool:
    """Tell TorchScript from a pickle; both are zip files."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


@contextmanager
def in_eval_mode(model: Any) -> Iterator[None]:
    """Let a module predict as when it is loaded; afterwards each of its parts is in the mode that it was in."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def check_is_module(model: Any) -> None:
    """Refuse what is no module. TypeError, as MLflow."""
    if not isinstance(model, torch().nn.Module):
        raise TypeError(f"Argument 'pytorch_model' should be a torch.nn.Module, not {type(model).__name__}.")


def inputs_of(example: Any) -> Sequence[Any]:
    """Return what torch.export is to call the module with.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is no array in the input example.
    """
    import numpy as np

    inputs = example if isinstance(example, (list, tuple)) else [example]
    if not inputs or not all(isinstance(each, (np.ndarray, torch().Tensor)) for each in inputs):
        raise invalid(
            'serialization_format="pt2" runs the model once, and needs an input_example for it: an array, a tensor, or '
            f"a list of them, not {type(example).__name__}."
        )
    return inputs
