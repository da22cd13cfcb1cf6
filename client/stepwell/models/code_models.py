"""Models from code: a script that says set_model(object) is the model."""

from contextvars import ContextVar
from typing import Any

# What the script that is being loaded has set.
_set: ContextVar[list[Any] | None] = ContextVar("stepwell_code_model", default=None)


def set_model(model: Any) -> None:
    """Say, in a script that is saved as a model, which object is the model.

    Args:
        model: a PythonModel, or a function of one argument.
    """
    found = _set.get()
    if found is not None:
        found.append(model)
