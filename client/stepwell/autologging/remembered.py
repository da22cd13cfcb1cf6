"""What is known of objects of others, without a mark on them."""

import weakref
from typing import Any


class Remembered:
    """Values by object, as long as the object lives; no other object is taken for it."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[Any, Any]] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        number = id(key)
        self._found[number] = (weakref.ref(key, lambda _: self._found.pop(number, None)), value)

    def get(self, key: Any) -> Any:
        """Return what is known of an object; None if nothing is."""
        found = self._found.get(id(key))
        return found[1] if found is not None and found[0]() is key else None
