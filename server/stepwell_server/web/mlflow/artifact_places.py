"""Which artifact an address of the proxy means: `<experiment_id>/<run_id>/artifacts[/<path>]`.

That is what stands behind mlflow-artifacts:/ in the URI of a run; of a logged model it is
`<experiment_id>/models/m-<id>/artifacts[/<path>]`. What is before the id is for people.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.services.content.paths import check_folder

_PLACE = re.compile(r"(?:.+/)?(?:models/m-)?(?P<run_id>[0-9a-f]{32})/artifacts(?:/(?P<path>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RunPlace:
    """A path of the artifacts of a run, or a logged model; a file or a folder, empty for the root."""

    run_id: UUID
    path: str

    def below(self, name: str) -> "RunPlace":
        """Return the place of a name in this folder."""
        return RunPlace(self.run_id, f"{self.path}/{name}" if self.path else name)


def find_place(address: str) -> RunPlace | None:
    """Return what an address means; None when it is not below a run's artifacts.

    Raises:
        InvalidArgumentError: it is not a plain relative path.
    """
    check_folder(address)
    found = _PLACE.fullmatch(address)
    return RunPlace(UUID(hex=found["run_id"]), found["path"] or "") if found else None


def require_place(address: str) -> RunPlace:
    """Return what an address means. Raises NotFoundError when it is nothing that this server keeps."""
    place = find_place(address)
    if place is None:
        raise NotFoundError(
            f"there are no artifacts at {address[:100]!r}; those of a run are at "
            "<experiment_id>/<run_id>/artifacts/<path>"
        )
    return place


def place_to_fill(address: str) -> RunPlace:
    """Return where an upload goes. Raises InvalidArgumentError when that is not a path of a run's artifacts."""
    place = find_place(address)
    if place is None or not place.path:
        raise InvalidArgumentError(
            f"artifacts cannot be put to {address[:100]!r}; the form is <experiment_id>/<run_id>/artifacts/<path>"
        )
    return place
