"""Sending files to a server that is there."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.delivery import logs
from stepwell.errors import StepwellException

if TYPE_CHECKING:
    from stepwell.files.local import LocalFile, Problems


@contextmanager
def temporary_file(path: str) -> Iterator[Path]:
    """Yield a place on disk, gone at the end, for what becomes the artifact `path`; with its name, for its suffix."""
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        yield Path(folder) / path.rpartition("/")[2]


def send(uri: str, run_id: str, files: "Sequence[LocalFile]", problems: "Problems | None" = None) -> None:
    """Send files to a server that is there; see `Uploader.upload`."""
    from stepwell.files.uploads import Uploader

    try:
        Uploader(uri, run_id).upload(files, problems=problems)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        # The run may be on its way: what this process logged to it goes first.
        logs.flush_run(uri, run_id)
        Uploader(uri, run_id).upload(files, problems=problems)
