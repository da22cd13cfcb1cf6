"""Which places for content experiments may use; `forms.py` has how they are written.

An experiment may name a place that the server was started with, or one below it; `--artifacts` is one of them when
it is no folder. Everything else is refused: the server's credentials and folders are not its callers'.
"""

from collections.abc import Sequence
from pathlib import Path

from stepwell_server.config import Config
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.store.content.forms import DATA_ROOT, folder_root, place_of_folder, shown
from stepwell_server.store.content.kinds import SERVED, Kind, kind_of
from stepwell_server.store.tracking.experiments import ARTIFACT_ROOT


class Locations:
    """Which places experiments may use.

    Args:
        default: the root of experiments that have no location of their own.
        folders: folders in which they may have one.
        places: s3://bucket/prefix and so on, below which they may have one; `default` is another, when it is one.
    """

    def __init__(self, default: str, folders: Sequence[str] = (), places: Sequence[str] = ()) -> None:
        self.default = default
        self._folders = [Path(place_of_folder(folder, SERVED)).resolve() for folder in folders]
        own = [default] if kind_of(default) else []
        self._places = [*own, *map(_root_elsewhere, places)]

    @property
    def folder_roots(self) -> Sequence[str]:
        """The roots of all folders that the server was started with; `default` only if it is one."""
        own = [] if kind_of(self.default) else [self.default]
        return list(dict.fromkeys([*own, *map(folder_root, self._folders)]))

    def root_of(self, location: str) -> str:
        """Return the root of an experiment's location; an empty one is the default.

        Raises:
            InvalidArgumentError: it is none, of an unknown scheme, or not among those that this server allows.
        """
        if not location or location.startswith(ARTIFACT_ROOT):
            return self.default
        kind = kind_of(location)
        return self._folder_root(location) if kind is None else self._root_below(kind, location)

    def destination(self, place: str) -> str:
        """Return the root of a place to which artifacts are to go; an empty one is the default. Raises as `root_of`."""
        return self.default if place and _is_root(place, self.default) else self.root_of(place)

    def _root_below(self, kind: Kind, location: str) -> str:
        root = kind.root(location)
        if not any(root == allowed or root.startswith(f"{allowed}/") for allowed in self._places):
            raise InvalidArgumentError(
                f"the artifact location {shown(location)} is not below a place that this server allows; its "
                f"operator can start it with --artifact-bucket {kind.form}"
            )
        return root

    def _folder_root(self, location: str) -> str:
        folder = Path(place_of_folder(location, SERVED))
        if not folder.is_absolute():
            raise InvalidArgumentError(
                f"the artifact location {shown(location)} is a relative path; use file:///folder"
            )
        real = folder.resolve()
        if not any(real.is_relative_to(allowed) for allowed in self._folders):
            raise InvalidArgumentError(
                f"the artifact location {shown(location)} is not in a folder that this server allows; its "
                "operator can start it with --artifact-folder"
            )
        return folder_root(real)


def default_root(setting: str | None) -> str:
    """Return the root for the option `--artifacts`: none, a place of some kind, or a folder.

    Raises:
        InvalidArgumentError: it is of a scheme that is not served.
    """
    if not setting:
        return DATA_ROOT
    kind = kind_of(setting)
    return folder_root(Path(place_of_folder(setting, SERVED))) if kind is None else kind.root(setting)


def _is_root(place: str, root: str) -> bool:
    try:
        return default_root(place) == root
    except InvalidArgumentError:
        return False


def _root_elsewhere(place: str) -> str:
    kind = kind_of(place)
    if kind is None:
        raise InvalidArgumentError(f"{shown(place)} is no bucket; use {SERVED.partition(', file:')[0]}")
    return kind.root(place)


def artifact_locations(config: Config) -> Locations:
    """Return where artifacts may go. Raises InvalidArgumentError when the options name what is not served."""
    return Locations(default_root(config.artifacts), config.artifact_folders, config.artifact_buckets)
