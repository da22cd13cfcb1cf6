"""Attributes of classes and modules that are replaced, and put back exactly."""

import sys
from collections.abc import Callable
from functools import wraps
from threading import RLock
from types import FunctionType, ModuleType
from typing import Any

from stepwell.autologging.guard import is_inside

_ABSENT = object()

# original, the object that the method is called on, its arguments -> what the caller gets
Around = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]


class Patches:
    """What one library's autologging has replaced; `revert` undoes all of it.

    With `outermost`, only outermost calls go through `around`: what they call in turn, as a search does for each of its
    candidates, goes to the originals straight away.
    """

    def __init__(self, *, outermost: bool = False) -> None:
        self._outermost = outermost
        self._lock = RLock()
        # Owner, name, what was there before, and what is there since.
        self._undo: list[tuple[Any, str, Any, Any]] = []
        self._done: set[tuple[int, str]] = set()

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute; once for each owner and name."""
        with self._lock:
            if (id(owner), name) in self._done:
                return
            self._undo.append((owner, name, vars(owner).get(name, _ABSENT), value))
            self._done.add((id(owner), name))
            setattr(owner, name, value)

    def around_method(self, owner: type, name: str, around: Around) -> None:
        """Let calls of a method that a class defines go through `around`, also where it is there only sometimes."""
        original = vars(owner)[name]
        if isinstance(original, FunctionType):
            self.replace(owner, name, _wrapped(original, around, self._outermost))
        elif hasattr(original, "__get__") and not isinstance(original, (staticmethod, classmethod, property)):
            self.replace(owner, name, _Conditional(original, around, self._outermost))

    def around_function(self, module: Any, name: str, around: Around) -> None:
        """Let calls of a function go through `around`: wherever it is found by its name.

        That is in the module, in the one that defines it (so that pickles find it), and where modules of the user's
        imported it before. `around` gets the original for the object that it is called on.
        """
        original, outermost = getattr(module, name), self._outermost

        @wraps(original)
        def function(*args: Any, **kwargs: Any) -> Any:
            if outermost and is_inside():
                return original(*args, **kwargs)
            return around(lambda _, *given, **named: original(*given, **named), original, args, kwargs)

        for place in (module, sys.modules.get(original.__module__, module)):
            if vars(place).get(name) is original:
                self.replace(place, name, function)
        for other in list(sys.modules.values()):
            if issubclass(type(other), ModuleType) and _is_the_users(names := _names_of(other)):
                for key in [key for key, value in list(names.items()) if value is original]:
                    self.replace(other, key, function)

    def revert(self) -> None:
        """Put everything back, the last first.

        What somebody else has replaced since stays theirs: it may call ours, which changes nothing any more.
        """
        with self._lock:
            while self._undo:
                owner, name, before, since = self._undo.pop()
                if vars(owner).get(name, _ABSENT) is not since:
                    continue
                if before is _ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, before)
            self._done.clear()


def _names_of(module: ModuleType) -> dict[str, Any]:
    """Return the names of a module, as they are: one that is lazy would be loaded, and may fail, if it were asked."""
    names: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return names


def _is_the_users(names: dict[str, Any]) -> bool:
    """Tell the names of a script or module of the user's from those of an installed one."""
    if names.get("__name__") == "__main__":
        return True
    file = str(names.get("__file__") or "site-packages")
    return (
        "site-packages" not in file and "dist-packages" not in file and not file.startswith(sys.base_prefix)
    )


def _wrapped(original: Callable[..., Any], around: Around, outermost: bool) -> Callable[..., Any]:
    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if outermost and is_inside():
            return original(self, *args, **kwargs)
        return around(original, self, args, kwargs)

    return method


class _Conditional:
    """Stands for a descriptor that gives a method, or AttributeError where the object has none."""

    def __init__(self, original: Any, around: Around, outermost: bool) -> None:
        self._original = original
        self._around = around
        self._outermost = outermost
        self.__doc__ = getattr(original, "__doc__", None)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        found = self._original.__get__(instance, owner)
        if instance is None or (self._outermost and is_inside()):
            return found

        @wraps(found)
        def method(*args: Any, **kwargs: Any) -> Any:
            return self._around(lambda _, *given, **named: found(*given, **named), instance, args, kwargs)

        return method
