"""Tables: rows that are added to what is at a path already."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from stepwell.delivery import record, writer
from stepwell.errors import StepwellException
from stepwell.files import formats
from stepwell.files.sending import send, temporary_file

LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts"


def add_waiting_rows(uri: str, run_id: str, rows: Path, path: str) -> None:
    """Add rows that waited in a file, in the format that the artifact's path says, to the table there."""
    with temporary_file(path) as file:
        shutil.copyfile(rows, file)
        add_rows(uri, run_id, formats.read_table(file), path)


def read_table(uri: str, run_id: str, path: str) -> Any:
    """Return the table at a path as a DataFrame; None when there is none."""
    from stepwell.files.downloads import Downloader

    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder, Downloader(uri, run_id) as downloader:
        try:
            return formats.read_table(downloader.read(path, Path(folder)))
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def add_rows(uri: str, run_id: str, table: Any, path: str) -> None:
    """Put rows below those of the table at a path, on a server that is there."""
    from stepwell.files.local import LocalFile

    older = read_table(uri, run_id, path)
    if older is not None:
        table = formats.joined_tables([older, table])
    with temporary_file(path) as file:
        formats.save_table(table, file)
        send(uri, run_id, [LocalFile(path, file)])
    _note_table(uri, run_id, path)


def _note_table(uri: str, run_id: str, path: str) -> None:
    """Note a table in the run's tag, as MLflow does, so that pages find it."""
    from stepwell.wire.calls import Calls

    writer.flush_run(uri, run_id)
    noted = json.loads(Calls(uri).get_run(run_id).data.tags.get(LOGGED_ARTIFACTS_TAG, "[]"))
    entry = {"path": path, "type": "table"}
    if entry not in noted:
        run_writer = writer.writer_for(uri, run_id)
        record.set_tags(run_writer, {LOGGED_ARTIFACTS_TAG: json.dumps([*noted, entry])}, synchronous=True)
