"""Which modules an object needs: those of the classes and functions that it is made of.

The object is walked, not pickled and loaded in another process. Of code that belongs to no distribution (the script, a
notebook, modules beside it) the modules are taken that it uses.
"""

import gc
import sys
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

# Objects that are looked at, beginning with the outermost: the layers of any network, the trees of a large forest.
OBJECTS_MAX = 50_000
# Modules of the user's own that are looked into.
OWN_MODULES_MAX = 200

_ATOMS = (str, bytes, bytearray, int, float, complex, bool, type(None))
_FUNCTIONS = (FunctionType, BuiltinFunctionType)
_NONE = frozenset({"builtins", "stepwell", "mlflow", "stepwell_api"})


def modules_of(found: Iterable[Any]) -> set[str]:
    """Return the top-level names of the modules that objects need, without those of Python and ours."""
    walk = _Walk()
    for each in found:
        walk.visit(each)
    return walk.names - _NONE - sys.stdlib_module_names


class _Walk:
    def __init__(self) -> None:
        self.names: set[str] = set()
        self._own: set[str] = set()
        self._seen: set[int] = set()

    def visit(self, start: Any) -> None:
        """Walk an object, outermost parts first."""
        level, budget = [start], OBJECTS_MAX
        while level and budget > 0:
            following: list[Any] = []
            for each in level[:budget]:
                if id(each) not in self._seen:
                    self._seen.add(id(each))
                    following.extend(self._parts(each))
            budget -= len(level)
            level = following

    def _parts(self, value: Any) -> Iterable[Any]:
        """Note the modules of an object, and return what it is made of."""
        if isinstance(value, ModuleType):
            self._note(value.__name__)
            return ()
        if isinstance(value, type):
            return self._of_class(value)
        self._note_class(type(value))
        if isinstance(value, _FUNCTIONS):
            return self._of_function(value)
        if isinstance(value, MethodType):
            return (value.__self__, value.__func__)
        return (it for it in gc.get_referents(value) if not isinstance(it, _ATOMS))

    def _of_class(self, kind: type) -> Iterable[Any]:
        self._note_class(kind)
        if kind.__module__ != "__main__":
            return ()
        # It goes along by value, with what its methods use.
        return [
            it
            for it in list(vars(kind).values())  # as in `_used_by`: other threads go on meanwhile
            if isinstance(it, (FunctionType, staticmethod, classmethod, property))
        ]

    def _note_class(self, kind: type) -> None:
        for base in kind.__mro__:
            self._note(base.__module__)

    def _of_function(self, function: Any) -> Iterable[Any]:
        self._note(function.__module__)
        if not isinstance(function, FunctionType) or function.__module__ not in ("__main__", None):
            return ()
        used = [function.__globals__.get(name) for name in _names(function.__code__)]
        imported = [sys.modules.get(name) for name in _names(function.__code__)]
        closed = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        return [it for it in (*used, *imported, *closed) if it is not None and not isinstance(it, _ATOMS)]

    def _note(self, module: str | None) -> None:
        name = str(module or "").partition(".")[0]
        if not name or name in self.names:
            return
        self.names.add(name)
        if name != "__main__" and is_own(name) and len(self._own) < OWN_MODULES_MAX:
            self._own.add(name)
            for used in _used_by(name):
                self._note(used)


def is_own(name: str) -> bool:
    """Tell whether a top-level module is no part of Python and of nothing that was installed as a distribution."""
    if name in sys.stdlib_module_names or name in _NONE:
        return False
    spec = getattr(sys.modules.get(name), "__spec__", None)
    places = [getattr(spec, "origin", None), *(getattr(spec, "submodule_search_locations", None) or ())]
    files = [str(it) for it in places if it]
    return bool(files) and not any("site-packages" in it or "dist-packages" in it for it in files)


def _used_by(name: str) -> Iterator[str]:
    """Yield the modules that a module of the user's own, and those below it, refer to."""
    # Copies, because other threads import meanwhile.
    for key, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or not (key == name or key.startswith(f"{name}.")):
            continue
        for value in list(vars(module).values()):
            if isinstance(value, ModuleType):
                yield value.__name__
            elif isinstance(value, (type, *_FUNCTIONS)):
                yield str(getattr(value, "__module__", None) or "")


def _names(code: CodeType) -> set[str]:
    """Return the global names and imports of code and of what is defined in it."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises where there is nothing yet
    except ValueError:
        return False
    return True
