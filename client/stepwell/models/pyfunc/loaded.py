"""A loaded model of any flavor: checks what it is asked against its signature, and predicts."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import StepwellException, invalid
from stepwell.models import enforcement, examples
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.types.schema import Schema

# Of data that did not fit, in the message.
DATA_CHARS_MAX = 1_000


class PyFuncModel:
    """A model of any library, with one way to ask it: `predict`."""

    def __init__(
        self, model: Model, implementation: Any, folder: Path, model_config: Mapping[str, Any]
    ) -> None:
        self._model = model
        self._implementation = implementation
        self._folder = folder
        self._model_config = dict(model_config)
        self._takes_params = _takes_params(implementation.predict)
        self._streams_params = _takes_params(getattr(implementation, "predict_stream", None))

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the model says.

        Args:
            data: as the signature says: a data frame (or dict, list, array that is one), an array, a dict of arrays.
                Columns beyond it are left out, others are converted where nothing is lost.
            params: by name; those that the signature does not know are left out.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when the data does not fit; it names the column, what was
                expected and what came.
        """
        checked, params = self._checked(data, params)
        if self._takes_params:
            return self._implementation.predict(checked, params=params)
        return self._implementation.predict(checked)

    def predict_stream(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the model says piece by piece; of models that can. NOT_IMPLEMENTED for others."""
        if not hasattr(self._implementation, "predict_stream"):
            raise StepwellException("The model has no predict_stream.", "NOT_IMPLEMENTED")
        checked, params = self._checked(data, params)
        if self._streams_params:
            return self._implementation.predict_stream(checked, params=params)
        return self._implementation.predict_stream(checked)

    def __call__(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what predict returns."""
        return self.predict(data, params)

    def _checked(self, data: Any, params: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any]]:
        signature = self._model.signature
        checked_params = enforcement.enforce_params(params, self._model.get_params_schema())
        # What has a type hint checks by itself.
        if signature is None or signature.inputs is None or signature._is_signature_from_type_hint:
            return data, checked_params
        return _enforced(data, signature.inputs), checked_params

    def unwrap_python_model(self) -> Any:
        """Return the PythonModel that was saved.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when the model is of another flavor.
        """
        model = getattr(self._implementation, "python_model", None)
        if model is None:
            raise StepwellException(
                f"Unable to retrieve base model object from pyfunc: it is loaded by {self.loader_module}, and no "
                "PythonModel. get_raw_model() returns the library's own object.",
                "INVALID_PARAMETER_VALUE",
            )
        return model

    def get_raw_model(self) -> Any:
        """Return the library's own object.

        Raises:
            NotImplementedError: the flavor has none.
        """
        if not hasattr(self._implementation, "get_raw_model"):
            raise NotImplementedError(
                f"`get_raw_model` is not implemented by models of {self.loader_module}; see unwrap_python_model()."
            )
        return self._implementation.get_raw_model()

    @property
    def metadata(self) -> Model:
        """The description: signature, flavors, ids."""
        return self._model

    @property
    def model_config(self) -> dict[str, Any]:
        """What the model was configured with, as it was loaded."""
        return self._model_config

    @property
    def loader_module(self) -> str:
        """The module that loads it."""
        return str(self._model.flavors[PYFUNC].get("loader_module"))

    @property
    def model_id(self) -> str | None:
        """The id of the logged model; None if it was not logged."""
        return self._model.model_id

    @property
    def input_example(self) -> Any:
        """The input example that it was saved with; None if there is none."""
        found = examples.read(self._folder, self._model)
        return found[0] if found else None

    def __repr__(self) -> str:
        known = {
            "artifact_path": self._model.artifact_path,
            "flavor": self.loader_module,
            "run_id": self._model.run_id,
        }
        lines = [f"  {key}: {it}" for key, it in known.items() if it is not None]
        return "\n".join(["stepwell.pyfunc.loaded_model:", *lines, ""])


def _enforced(data: Any, schema: Schema) -> Any:
    try:
        return enforcement.enforce(data, schema)
    except StepwellException as failure:
        raise invalid(
            f"Failed to enforce schema of data '{_start(data)}' with schema '{schema}'. Error: {failure.message}"
        ) from None


def _start(data: Any) -> str:
    text = str(data)
    return text if len(text) <= DATA_CHARS_MAX else f"{text[:DATA_CHARS_MAX]}…"


def _takes_params(predict: Any) -> bool:
    """Tell whether a predict has a place for params."""
    if predict is None:
        return False
    try:
        parameters = inspect.signature(predict).parameters
    except (TypeError, ValueError):
        return False
    return "params" in parameters or any(it.kind is it.VAR_KEYWORD for it in parameters.values())
