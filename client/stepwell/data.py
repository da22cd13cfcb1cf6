"""Data sets for log_input: name, fingerprint, columns and size of data, and where it came from. The data stays here."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stepwell import entities, extras
from stepwell.errors import StepwellException, invalid, short

if TYPE_CHECKING:
    import pandas

CONTEXT_TAG = "mlflow.data.context"
# Rows that a digest looks at, evenly spread: enough to tell data apart, few enough not to be noticed.
DIGEST_ROWS_MAX = 10_000
DIGEST_CHARS = 8

_TYPES = {"b": "boolean", "i": "long", "u": "long", "f": "double", "M": "datetime", "S": "binary"}


class Dataset(entities.Dataset):
    """A data set as log_input takes it; `df`, `features` and `targets` are the data it was made of."""

    df: "pandas.DataFrame | None" = None
    features: Any = None
    targets: Any = None


@short
def from_pandas(
    df: "pandas.DataFrame",
    source: str | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> Dataset:
    """Describe a data frame.

    Args:
        df: the data.
        source: where it came from, a path or URI; if not given, the code that made it.
        targets: the column that is to be predicted.
        name: "dataset" if not given.
        digest: a fingerprint; if not given, it is made of names, types and up to 10,000 rows.
        predictions: the column of a model's predictions.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is no such column.
    """
    for what, column in (("targets", targets), ("predictions", predictions)):
        if column is not None and column not in df.columns:
            raise invalid(f"{what} is {column!r}, but the data frame has no such column.")
    columns = [{"type": _type_of(df[key].dtype), "name": str(key), "required": True} for key in df.columns]
    made = Dataset(
        *(name or "dataset", digest or _digest_of_frame(df), *_source(source)),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": len(df), "num_elements": int(df.size)}),
    )
    made.df, made.targets = df, targets
    return made


@short
def from_numpy(
    features: Any,
    source: str | None = None,
    targets: Any = None,
    name: str | None = None,
    digest: str | None = None,
) -> Dataset:
    """Describe arrays, or dicts of arrays by name; arguments as in from_pandas."""
    profile = _profile("features", features) | ({} if targets is None else _profile("targets", targets))
    made = Dataset(
        *(name or "dataset", digest or _digest_of_arrays(features, targets), *_source(source)),
        schema=schema_of_tensors(_specs(features), None if targets is None else _specs(targets)),
        profile=json.dumps(profile),
    )
    made.features, made.targets = features, targets
    return made


def described(name: str, digest: str, schema: str, profile: str) -> Dataset:
    """Return a data set of which all is known, `schema` and `profile` as JSON; the code that runs is its source."""
    return Dataset(name, digest, *_source(None), schema=schema, profile=profile)


def schema_of_tensors(features: list[dict[str, Any]], targets: list[dict[str, Any]] | None) -> str:
    """Return the schema of data that is arrays, as MLflow writes and reads it: specs as JSON within the JSON."""
    tensors = {"features": json.dumps(features), "targets": None if targets is None else json.dumps(targets)}
    return json.dumps({"mlflow_tensorspec": tensors})


def to_input(
    dataset: entities.Dataset, context: str | None, tags: Mapping[str, Any] | None
) -> entities.DatasetInput:
    """Return a data set with what it was used for. Raises StepwellException for something else than a data set."""
    if not isinstance(dataset, entities.Dataset):
        raise invalid(
            f"log_input takes a data set, as stepwell.data.from_pandas makes one, not {type(dataset).__name__}."
        )
    labels = {**({CONTEXT_TAG: context} if context else {}), **(tags or {})}
    return entities.DatasetInput(
        dataset, [entities.InputTag(key, str(value)) for key, value in labels.items()]
    )


def _source(source: str | None) -> tuple[str, str]:
    """Return kind and JSON of a source, by MLflow's names."""
    if source is None:
        from stepwell.runs import context

        return "code", json.dumps({"tags": context.system_tags()})
    scheme, separator, _ = str(source).partition("://")
    return (scheme if separator else "local"), json.dumps({"uri": str(source)})


def _type_of(dtype: Any) -> str:
    kind = getattr(dtype, "kind", "O")
    if kind in "if" and getattr(dtype, "itemsize", 8) <= 4:
        return "integer" if kind == "i" else "float"
    return _TYPES.get(kind, "string")


def _named(arrays: Any) -> dict[str, Any]:
    import numpy as np

    given = arrays if isinstance(arrays, Mapping) else {"": arrays}
    return {str(name): np.asarray(array) for name, array in given.items()}


def _specs(arrays: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "tensor",
            **({"name": name} if name else {}),
            "tensor-spec": {"dtype": str(array.dtype), "shape": [-1, *array.shape[1:]]},
        }
        for name, array in _named(arrays).items()
    ]


def _profile(what: str, arrays: Any) -> dict[str, Any]:
    named = _named(arrays)
    sizes: dict[str, dict[str, Any]] = {
        "shape": {name: list(array.shape) for name, array in named.items()},
        "size": {name: int(array.size) for name, array in named.items()},
        "nbytes": {name: int(array.nbytes) for name, array in named.items()},
    }
    single = list(named) == [""]
    return {f"{what}_{key}": values[""] if single else values for key, values in sizes.items()}


def _digest_of_arrays(features: Any, targets: Any) -> str:
    import hashlib

    digest = hashlib.sha256()
    for arrays in (features, targets):
        for name, array in _named({} if arrays is None else arrays).items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            some = _some_rows(array)
            digest.update(repr(some.tolist()).encode() if some.dtype.hasobject else some.tobytes())
    return digest.hexdigest()[:DIGEST_CHARS]


def _some_rows(array: Any) -> Any:
    import numpy as np

    if array.ndim == 0 or len(array) <= DIGEST_ROWS_MAX:
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(array[np.linspace(0, len(array) - 1, DIGEST_ROWS_MAX).astype(np.int64)])


def _digest_of_frame(df: "pandas.DataFrame") -> str:
    import hashlib

    import numpy as np

    try:
        from pandas.util import hash_pandas_object
    except ModuleNotFoundError:
        raise StepwellException(
            f"A data frame without pandas? {extras.install_hint('pandas')}.", "NOT_IMPLEMENTED"
        ) from None
    rows = (
        df
        if len(df) <= DIGEST_ROWS_MAX
        else df.iloc[np.linspace(0, len(df) - 1, DIGEST_ROWS_MAX).astype(np.int64)]
    )
    digest = hashlib.sha256(repr([(str(key), str(df[key].dtype)) for key in df.columns]).encode())
    digest.update(str(df.shape).encode())
    digest.update(
        hash_pandas_object(rows.astype(dict.fromkeys(_objects(rows), str)), index=False).to_numpy().tobytes()
    )
    return digest.hexdigest()[:DIGEST_CHARS]


def _objects(df: "pandas.DataFrame") -> list[Any]:
    """The columns whose values may be anything, also what has no hash."""
    return [key for key in df.columns if df[key].dtype == object]
