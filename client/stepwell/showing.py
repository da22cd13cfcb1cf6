"""The page of a run, an experiment or a comparison, in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from stepwell import settings
from stepwell.client import StepwellClient
from stepwell.entities import Experiment, Run
from stepwell.errors import invalid, short
from stepwell.runs import active

HEIGHT_PX_DEFAULT = 640
COMPARED_MAX = 100
# The page's scripts run, and ask its own server; it cannot reach the notebook around it, nor lead it elsewhere.
_SANDBOX = "allow-scripts allow-same-origin allow-forms allow-downloads allow-popups"


@dataclass(frozen=True)
class Shown:
    """Something on the page: a notebook shows it in a frame, anything else its address."""

    url: str
    height: int = HEIGHT_PX_DEFAULT

    def _repr_html_(self) -> str:
        from html import escape  # whoever imports stepwell need not wait for it

        return (
            f'<iframe src="{escape(self.url)}" width="100%" height="{self.height}" sandbox="{_SANDBOX}"'
            ' style="border: 1px solid #c4ccd6; border-radius: 6px" title="Stepwell"></iframe>'
        )

    def __repr__(self) -> str:
        """Return the address, for terminals."""
        return self.url


@short
def show(
    what: str | Run | Experiment | Sequence[str | Run] | None = None, *, height: int = HEIGHT_PX_DEFAULT
) -> Shown:
    """Return a part of the page, which a notebook shows in a frame when it is the last thing in a cell.

    `what` is a run or its id, an experiment, or several runs, which are compared. Without it, the active run is shown,
    or else the one that was started last, or else the list of experiments. `height` is in pixels.

    Raises:
        StepwellException: there is no such run, more than 100 are to be compared, or the tracking URI is a gRPC
            address, so that nobody knows where the page is.
    """
    if not isinstance(height, int) or height <= 0:
        raise invalid(f"height is {height!r}; give the frame's height in pixels, such as {HEIGHT_PX_DEFAULT}")
    return Shown(f"{_page()}/#{_place(what)}", height)


def _page() -> str:
    uri = settings.tracking_uri()
    page = settings.parse_uri(uri).page
    if not page:
        raise invalid(
            f"{uri} is where gRPC is; the page is at the server's HTTP address: set_tracking_uri('http://HOST:5000')"
        )
    return page


def _place(what: str | Run | Experiment | Sequence[str | Run] | None) -> str:
    if isinstance(what, Experiment):
        return f"/experiments/{what.experiment_id}"
    if what is None:
        latest = active.active_run() or active.last_run_id()
        return _place(latest) if latest is not None else "/"
    if isinstance(what, str | Run):
        run = StepwellClient().get_run(what) if isinstance(what, str) else what
        return f"/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    ids = [run if isinstance(run, str) else run.info.run_id for run in what]
    if not 1 <= len(ids) <= COMPARED_MAX:
        raise invalid(f"{len(ids)} runs are to be compared; give 1 to {COMPARED_MAX}")
    listed = ",".join(f'"{run_id}"' for run_id in ids)
    return f"/compare?runs={quote(f'[{listed}]')}"
