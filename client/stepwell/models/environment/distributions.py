"""From names of modules to distributions and their versions, by importlib.metadata."""

from collections.abc import Iterable
from functools import cache
from importlib import metadata

# Distributions whose names differ from those of their modules, and are common: the rest is looked up in all of them,
# which takes a tenth of a second, once.
_NAMES = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "google": "",  # many distributions share it; whoever needs one names it
    "pytorch_lightning": "pytorch-lightning",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skops": "skops",
    "yaml": "PyYAML",
}


def pins(modules: Iterable[str], distributions: Iterable[str] = ()) -> list[str]:
    """Return `name==version` of the distributions that modules belong to, and of others by name; sorted.

    What is not installed is left out.
    """
    found = {it.lower().replace("_", "-"): it for it in distributions}
    for module in modules:
        for name in _distributions_of(module):
            found.setdefault(name.lower().replace("_", "-"), name)
    pinned = ((name, installed_version(name)) for name in found.values())
    return sorted((f"{name}=={version}" for name, version in pinned if version), key=str.lower)


@cache
def installed_version(name: str) -> str | None:
    """Return the version of a distribution without its local part, which no index has; None if not installed."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


@cache
def _distributions_of(module: str) -> tuple[str, ...]:
    named = _NAMES.get(module, module)
    if not named:
        return ()
    if installed_version(named):
        return (named,)
    return tuple(_all().get(module, ()))


@cache
def _all() -> dict[str, tuple[str, ...]]:
    return {
        module: tuple(dict.fromkeys(names)) for module, names in metadata.packages_distributions().items()
    }
