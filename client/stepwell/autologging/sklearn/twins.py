"""A copy of a small fitted estimator, to be asked what it predicts while the training goes on with its own."""

from collections.abc import Callable
from typing import Any

# Of a larger one, copying takes as long as asking.
TWIN_BYTES_MAX = 2**20
# Attributes, and parts of lists and dictionaries; names of features are some.
TWIN_PARTS_MAX = 2_000

_NEVER_CHANGE = (type(None), bool, int, float, complex, str, bytes, type, frozenset)


class _NoTwinError(Exception):
    """It is large, or made of what is not known here."""


def twin_of(estimator: Any) -> Any:
    """Return an estimator that answers as this one does now; None for one that is to be asked at once.

    Scikit-learn's own that are made of numbers, arrays and such estimators have one: what these predict depends on
    nothing else, and changes nothing.
    """
    try:
        return _Copying().copy(estimator)
    except (_NoTwinError, RecursionError):
        return None


class _Copying:
    """One copy that is made, and what is left of its limits."""

    def __init__(self) -> None:
        self._bytes_left = TWIN_BYTES_MAX
        self._parts_left = TWIN_PARTS_MAX

    def copy(self, value: Any) -> Any:
        """Return a copy of a part; itself where nobody can change it."""
        self._parts_left -= 1
        if self._parts_left < 0:
            raise _NoTwinError
        kind = type(value)
        if kind in _NEVER_CHANGE:
            return value
        return self._way_of(kind)(value)

    def _way_of(self, kind: type) -> Callable[[Any], Any]:
        import numpy as np

        if kind is np.ndarray:
            return self._array
        if issubclass(kind, np.generic):
            return lambda value: value
        if kind in (list, tuple):
            return lambda value: kind(map(self.copy, value))
        if kind is dict:
            return lambda value: {key: self.copy(it) for key, it in value.items()}
        if kind.__module__.startswith("sklearn.") and hasattr(kind, "get_params") and not _is_by_chance(kind):
            return self._estimator
        raise _NoTwinError

    def _array(self, value: Any) -> Any:
        self._bytes_left -= value.nbytes
        if self._bytes_left < 0:
            raise _NoTwinError
        if value.dtype.hasobject:  # such as names of features
            for each in value.flat:
                self.copy(each)
        return value.copy()

    def _estimator(self, value: Any) -> Any:
        twin = object.__new__(type(value))
        vars(twin).update({name: self.copy(it) for name, it in vars(value).items()})
        return twin


def _is_by_chance(kind: type) -> bool:
    """Tell whether estimators of a class may predict by the generator of chance that all share."""
    return kind.__module__ == "sklearn.dummy"
