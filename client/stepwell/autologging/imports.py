"""What is to be done right after a module is imported: at once if it is, else when it comes."""

import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from logging import getLogger
from threading import RLock
from typing import Any

_log = getLogger("stepwell")
_lock = RLock()
# By module, and by who waits for it.
_waiting: dict[str, dict[str, Callable[[], object]]] = {}
# Modules that have run to their end, while the import system still takes them for unfinished.
_executed: set[str] = set()


def when_imported(module: str, owner: str, action: Callable[[], object]) -> None:
    """Do something when a module has been imported; what an owner waited for with it before is forgotten."""
    if _is_imported(module):
        _attempt(owner, action)
        return
    with _lock:
        _waiting.setdefault(module, {})[owner] = action
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)


def forget(owner: str) -> None:
    """Wait no more for what an owner waits for."""
    with _lock:
        for module in list(_waiting):
            _waiting[module].pop(owner, None)
            if not _waiting[module]:
                del _waiting[module]
        _stop_if_idle()


def _is_imported(module: str) -> bool:
    found = sys.modules.get(module)
    spec = getattr(found, "__spec__", None)
    return found is not None and (module in _executed or not getattr(spec, "_initializing", False))


def _attempt(owner: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as failure:  # noqa: BLE001 - a library that is broken is no reason to stop the script
        _log.warning(
            "Autologging of %s could not be turned on: %s: %s.", owner, type(failure).__name__, failure
        )


def _stop_if_idle() -> None:
    if not _waiting and _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _came(module: str) -> None:
    with _lock:
        actions = _waiting.pop(module, {})
        _stop_if_idle()
    _executed.add(module)
    try:
        for owner, action in actions.items():
            _attempt(owner, action)
    finally:
        _executed.discard(module)


class _Finder(MetaPathFinder):
    """Sees a module being imported. Who only asks for its spec changes nothing."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        spec = _spec_of(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, fullname)
        return spec


class _Loader(Loader):
    """Loads as the real loader does, and tells."""

    def __init__(self, real: Any, name: str) -> None:
        self._real, self._name = real, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._real.create_module(spec)

    def exec_module(self, module: Any) -> None:
        # What looks at the module afterwards finds the loader that it expects.
        module.__spec__.loader = module.__loader__ = self._real
        self._real.exec_module(module)
        _came(self._name)


def _spec_of(name: str, path: Any, target: Any) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        if finder is not _finder:
            found = finder.find_spec(name, path, target)
            if found is not None:
                return found
    return None


_finder = _Finder()
