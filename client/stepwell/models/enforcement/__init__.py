"""Data held against a signature: what fits is converted where nothing is lost, what does not is named.

The rules are MLflow's, so that a model takes the same data wherever it is loaded.
"""

from collections.abc import Mapping
from logging import getLogger
from typing import Any

from stepwell.errors import StepwellException, invalid
from stepwell.types.schema import ParamSchema, Schema

_log = getLogger("stepwell")


def enforce(data: Any, schema: Schema) -> Any:
    """Return data as a schema says: a data frame for columns, an array or a dict of arrays for tensors.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, with the column or tensor, what was expected, and what came.
    """
    from stepwell.models.enforcement import columns, tensors

    return (tensors if schema.is_tensor_spec() else columns).enforce(data, schema)


def enforce_params(params: Any, schema: ParamSchema | None) -> dict[str, Any]:
    """Return params with defaults for those that are not given; unknown ones are left out, with a warning.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else than a dict, and values of other types.
    """
    if params is not None and not isinstance(params, Mapping):
        raise invalid(f"Parameters must be a dictionary. Got type '{type(params).__name__}'.")
    if schema is None:
        if params:
            _log.warning(
                "The model's signature has no params; these are left out: %s.", sorted(map(str, params))
            )
        return {}
    given = {str(key): it for key, it in (params or {}).items()}
    specs = {it.name: it for it in schema.params}
    unknown = sorted(set(given) - set(specs))
    if unknown:
        _log.warning("The model's signature has no such params; they are left out: %s.", unknown)
    found, wrong = {name: spec.default for name, spec in specs.items()}, []
    for name in given.keys() & specs.keys():
        try:
            found[name] = specs[name].converted(given[name])
        except StepwellException as failure:
            wrong.append(failure.message)
    if wrong:
        raise invalid(f"Invalid parameters found: {' '.join(sorted(wrong))}")
    return found
