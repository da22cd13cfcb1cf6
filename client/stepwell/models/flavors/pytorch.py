"""Models of PyTorch: data/model.pth, a pickle that all versions of MLflow read, or data/model.pt2 of torch.export."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Unpack

from stepwell import settings
from stepwell.errors import invalid, short
from stepwell.models import loading, logged, saving
from stepwell.models.flavor import Flavor, Written
from stepwell.models.flavors import checkpoints, files_beside
from stepwell.models.flavors import torch_files as files
from stepwell.models.info import ModelInfo
from stepwell.models.inside import named
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.options import LogOptions, SaveOptions

PICKLE, PT2 = "pickle", "pt2"
FORMATS = (PICKLE, PT2)
DATA_FOLDER, EXTRA_FILES = "data", "extra_files"


class PyTorch(Flavor):
    """A torch.nn.Module, also of TorchScript or Lightning."""

    name = "pytorch"
    loader_module = "mlflow.pytorch"
    distributions = ("torch", "cloudpickle")

    def __init__(
        self,
        model: Any,
        serialization_format: str | None = PICKLE,
        pickle_module: Any = None,
        pickle_protocol: int | None = None,
        example: Any = None,
        extra_files: Sequence[Any] | None = None,
    ) -> None:
        files.check_is_module(model)
        self.serialization_format = serialization_format or PICKLE
        if self.serialization_format not in FORMATS:
            raise invalid(
                f"Unrecognized serialization format: {serialization_format!r}. Use one of {', '.join(FORMATS)}."
            )
        self.model = model
        self.inputs = files.inputs_of(example) if self.serialization_format == PT2 else ()
        self.pickle_module_name = pickle_module.__name__ if pickle_module else files.PICKLE_MODULE_DEFAULT
        self.pickle_module = pickle_module or files.pickle_module(self.pickle_module_name)
        if isinstance(extra_files, (str, bytes, Path)):
            raise invalid(f"extra_files must be a list of paths or URIs, not {extra_files!r}.")
        self.extra_files = list(extra_files or ())
        self.keywords = {} if pickle_protocol is None else {"pickle_protocol": pickle_protocol}

    def parts(self) -> Sequence[Any]:
        """Return the module and what pickles it."""
        return [self.model, self.pickle_module]

    def write(self, folder: Path) -> Written:
        """Write the folder `data`."""
        data = folder / DATA_FOLDER
        data.mkdir()
        if self.serialization_format == PT2:
            files.write_exported(self.model, data, self.inputs)
        else:
            files.write_pickled(self.model, data, self.pickle_module, self.pickle_module_name, self.keywords)
        config: dict[str, Any] = {
            "model_data": DATA_FOLDER,
            "pytorch_version": str(files.torch().__version__),
        }
        if self.extra_files:
            config[EXTRA_FILES] = files_beside.write(self.extra_files, folder, EXTRA_FILES)
        pyfunc = {
            "data": DATA_FOLDER,
            "pickle_module_name": self.pickle_module_name,
            "config": {"device": None},
        }
        return Written(config, pyfunc)

    def wrapped(self) -> "Network":
        """Return the module with predict(data, params), where it is."""
        return Network(self.model, None)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the module."""
        files_beside.check(config.get(EXTRA_FILES), folder, EXTRA_FILES)
        data = named(config, "model_data", folder)
        if data is None:
            raise invalid("MLmodel: the flavor pytorch names no model_data.")
        return files.read(data, **options)

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> "Network":
        """Return the module with predict(data, params), on the device that the config names."""
        device = model_config.get("device") or settings.prediction_device() or files.default_device()
        data = named(model.flavor(PYFUNC), "data", folder) or folder
        return Network(files.read(data, str(device)), str(device))


class Network:
    """What pyfunc asks: one array in, one array out; of a data frame float32, and a data frame back.

    Without a device it is a module in use: it predicts where it is, and keeps its mode.
    """

    def __init__(self, model: Any, device: str | None) -> None:
        self.model = model
        self.device = device

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the module makes of an array or a data frame; params go to it as keywords.

        Raises:
            TypeError: for other data, and of modules that return something else than one tensor.
            ValueError: when params name a device.
        """
        import numpy as np

        if params and "device" in params:
            raise ValueError(
                "`device` is no parameter of predictions: name it when the model is loaded, as "
                "pyfunc.load_model(uri, model_config={'device': 'cuda'})."
            )
        is_frame = hasattr(data, "to_numpy") and hasattr(data, "columns")
        if not is_frame and not isinstance(data, np.ndarray):
            raise TypeError(
                f"Input data should be pandas.DataFrame or numpy.ndarray, not {type(data).__name__}."
            )
        rows = data.to_numpy(dtype=np.float32) if is_frame else data
        answer = self._run(rows, params or {})
        if not is_frame:
            return answer
        return type(data)(answer, index=data.index)

    def _run(self, rows: Any, params: Mapping[str, Any]) -> Any:
        library = files.torch()
        first = next(self.model.parameters(), None)
        device = self.device or (first.device if first is not None else files.CPU)
        # Rows that cannot be written to are copied: torch has no place for what it must not change.
        tensor = library.from_numpy(rows if rows.flags.writeable else rows.copy()).to(device)
        in_use = files.in_eval_mode(self.model) if self.device is None else nullcontext()
        with library.no_grad(), in_use:
            answer = self.model(tensor, **params)
        if not isinstance(answer, library.Tensor):
            raise TypeError(
                f"Expected PyTorch model to output a single output tensor, but got {type(answer)}."
            )
        return answer.cpu().numpy()

    def get_raw_model(self) -> Any:
        """Return the module."""
        return self.model


@short
def save_model(
    pytorch_model: Any,
    path: Any,
    *,
    serialization_format: str | None = PICKLE,
    export_model: bool = False,
    pickle_module: Any = None,
    pickle_protocol: int | None = None,
    extra_files: Sequence[Any] | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Save a module to a local folder.

    Args:
        pytorch_model: a torch.nn.Module, or a ScriptModule.
        path: of the folder, which must not be there yet, or be empty.
        serialization_format: "pickle", or "pt2": what torch.export makes of the module with the input example.
        export_model: MLflow's older word for "pt2".
        pickle_module: pickles instead of cloudpickle; must be importable by its name where the model is loaded.
        pickle_protocol: of torch.save.
        extra_files: paths or URIs of files that go along, into the folder `extra_files` of the model.
        options: see `SaveOptions`.

    Raises:
        TypeError: when it is no module.
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    chosen = PT2 if export_model else serialization_format
    example = options.get("input_example")
    flavor = PyTorch(pytorch_model, chosen, pickle_module, pickle_protocol, example, extra_files)
    saving.save(flavor, path, options)


@short
def log_model(
    pytorch_model: Any,
    artifact_path: str | None = None,
    *,
    serialization_format: str | None = PICKLE,
    export_model: bool = False,
    pickle_module: Any = None,
    pickle_protocol: int | None = None,
    extra_files: Sequence[Any] | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Log a module to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    chosen = PT2 if export_model else serialization_format
    example = options.get("input_example")
    flavor = PyTorch(pytorch_model, chosen, pickle_module, pickle_protocol, example, extra_files)
    return logged.log(flavor, artifact_path, options)


@short
def load_model(
    model_uri: Any, dst_path: str | None = None, device: str | None = None, **keywords: Any
) -> Any:
    """Return the module of a model URI, or of a local folder, in evaluation mode.

    Args:
        model_uri: see pyfunc.load_model.
        dst_path: where the files go.
        device: where the module goes; without it, to where it was, or to the CPU where there is no GPU.
        keywords: of torch.load.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of PyTorch;
            PERMISSION_DENIED when it is a pickle and STEPWELL_ALLOW_PICKLE is false.
    """
    return loading.load_native(PyTorch, model_uri, dst_path, device=device, **keywords)


@short
def load_checkpoint(
    model_class: Any,
    run_id: str | None = None,
    epoch: int | None = None,
    global_step: int | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Return a module of Lightning as a checkpoint of a run has it: the last, or that of an epoch or a global step.

    Args:
        model_class: the class, which has load_from_checkpoint.
        run_id: the run; the active one if not given.
        epoch: the epoch whose checkpoint it is, where one is left after each.
        global_step: the step whose checkpoint it is, where one is left after so many.
        kwargs: keywords of load_from_checkpoint.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such checkpoint; INVALID_PARAMETER_VALUE.
    """
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        path = checkpoints.fetch(run_id, epoch, global_step, folder)
        return model_class.load_from_checkpoint(path, **(kwargs or {}))
