"""Models of the user's own: a class with `predict`, or a function."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from stepwell.models.pyfunc.validation import TypeHints, hints_of_function, takes_context, validated


class PythonModelContext:
    """What a model was saved with: `artifacts` by name, as local paths, and `model_config`."""

    def __init__(self, artifacts: Mapping[str, str], model_config: Mapping[str, Any] | None) -> None:
        self.artifacts = dict(artifacts)
        self.model_config = dict(model_config or {})


class PythonModel:
    """A model: subclass it, and give it `predict(self, context, model_input, params=None)`.

    `context` and `params` may be left out. A type hint such as list[str] of `model_input` is the model's signature.
    Pickled, it is MLflow's class of this name, so that MLflow loads it.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in ("predict", "predict_stream"):
            if name in vars(cls):
                setattr(cls, name, validated(vars(cls)[name]))

    def load_context(self, context: PythonModelContext) -> None:
        """Load what predict needs from `context.artifacts`; called once, when the model is loaded."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return what the model says."""
        raise NotImplementedError(f"{type(self).__name__} has no predict.")

    @property
    def predict_type_hints(self) -> TypeHints:
        """What predict says of its input and output."""
        return hints_of_function(self.predict)


class FunctionModel(PythonModel):
    """A function of one argument as a model."""

    def __init__(self, func: Callable[[Any], Any], signature: Any = None) -> None:
        self.func = validated(func)
        self.signature = signature

    @property
    def predict_type_hints(self) -> TypeHints:
        """What the function says of its argument and result."""
        return hints_of_function(self.func)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # type: ignore[override]
        """Return what the function returns."""
        return self.func(model_input)


class Wrapper:
    """What pyfunc asks: passes context and params to those that take them."""

    def __init__(self, python_model: Any, context: PythonModelContext) -> None:
        self.python_model = python_model
        self.context = context

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the model says."""
        return self._call(self.python_model.predict, data, params)

    def _call(self, predict: Callable[..., Any], data: Any, params: Mapping[str, Any] | None) -> Any:
        parameters = inspect.signature(predict).parameters
        before = (self.context,) if takes_context(parameters) else ()
        keywords = {"params": dict(params or {})} if "params" in parameters else {}
        return predict(*before, data, **keywords)


class StreamingWrapper(Wrapper):
    """The same of a model that also has predict_stream."""

    def predict_stream(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the model says, piece by piece."""
        return self._call(self.python_model.predict_stream, data, params)


def wrap(python_model: Any, context: PythonModelContext) -> Wrapper:
    """Return what pyfunc asks, with predict_stream where the model has it."""
    kind = StreamingWrapper if hasattr(python_model, "predict_stream") else Wrapper
    return kind(python_model, context)


def hints_of(python_model: Any) -> TypeHints:
    """Return the type hints of the data and of the result of a model's predict."""
    found = getattr(python_model, "predict_type_hints", None)
    return found if isinstance(found, TypeHints) else TypeHints()
