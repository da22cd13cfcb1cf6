"""stepwell.autolog(): every library that we know, also those that are imported later."""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from logging import getLogger
from typing import Any

# The module whose import turns autologging of a library on, and where that is.
LIBRARIES = {"sklearn": "stepwell.autologging.sklearn"}

_log = getLogger("stepwell")
_waiting: dict[str, dict[str, Any]] = {}


def autolog(*, disable: bool = False, exclude_flavors: Iterable[str] | None = None, **keywords: Any) -> None:
    """Log the training calls of all libraries by themselves: those that are imported, and those that will be.

    Args:
        disable: turn it off again.
        exclude_flavors: libraries to leave alone.
        keywords: those that all libraries take, see `Options`.
    """
    left_out = set(exclude_flavors or ())
    _stop_waiting()
    for name in LIBRARIES:
        if name in left_out:
            continue
        if disable:
            if name in sys.modules:
                _turn(name, {"disable": True})
        elif name in sys.modules:
            _turn(name, keywords)
        else:
            _waiting[name] = keywords
    if _waiting:
        sys.meta_path.insert(0, _finder)


def _turn(name: str, keywords: dict[str, Any]) -> None:
    try:
        import_module(LIBRARIES[name]).autolog(**keywords)
    except Exception as failure:  # noqa: BLE001 - a library that is broken is no reason to stop the script
        _log.warning(
            "Autologging of %s could not be turned on: %s: %s.", name, type(failure).__name__, failure
        )


def _stop_waiting() -> None:
    _waiting.clear()
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


class _Finder(MetaPathFinder):
    """Sees a library being imported, and turns its autologging on right after."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        keywords = _waiting.pop(fullname)
        if not _waiting:
            _stop_waiting()
        spec = _spec_of(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, fullname, keywords)
        return spec


class _Loader(Loader):
    """Loads as the real loader does, and then turns autologging on."""

    def __init__(self, real: Any, name: str, keywords: dict[str, Any]) -> None:
        self._real, self._name, self._keywords = real, name, keywords

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._real.create_module(spec)

    def exec_module(self, module: Any) -> None:
        # What looks at the module afterwards finds the loader that it expects.
        module.__spec__.loader = module.__loader__ = self._real
        self._real.exec_module(module)
        _turn(self._name, self._keywords)


def _spec_of(name: str, path: Any, target: Any) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        if finder is not _finder:
            found = finder.find_spec(name, path, target)
            if found is not None:
                return found
    return None


_finder = _Finder()
