"""Whole models that wait in the outbox: a folder of notes like those of artifacts, put there in one step.

    <outbox>/m-<id>/<number>.json, .data   first what creates the model, then its files, last what makes it READY
    <outbox>/.m-<id>.<random>/             one that is being gathered; who dies leaves it: it goes after a day

Every note is harmless to repeat, so a model is delivered once, however often the delivery is cut.
"""

import contextlib
import itertools
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.errors import StepwellException
from stepwell.files.local import LocalFile
from stepwell.files.outgoing import waiting
from stepwell.files.outgoing.waiting import Entry
from stepwell.spool.safe_files import FOLDER_MODE
from stepwell.wire.connection import connect

if TYPE_CHECKING:
    from stepwell_api.v1 import models_pb2

# What the note of a model that waits is, beside one of a file.
CREATE, FINISH = "create model", "finish model"

MODEL_PREFIX = "m-"
UNFINISHED_PREFIX = f".{MODEL_PREFIX}"
REASON_CHARS_MAX = 1_000
UNFINISHED_AGE_MAX_S = 24 * 3_600.0


def store(
    outbox: Path, uri: str, spec: "models_pb2.LoggedModelSpec", files: Iterable[LocalFile], step: int
) -> None:
    """Copy a model into the outbox, flushed to the disk; it is there as a whole or not at all.

    Raises:
        OSError: there is no room, or the folder is not safe.
    """
    from stepwell_api.v1 import models_pb2, runs_pb2

    gathering = outbox / f".{spec.model_id}.{secrets.token_hex(4)}"
    gathering.mkdir(mode=FOLDER_MODE)
    output = runs_pb2.ModelOutput(model_id=spec.model_id, step=step)
    end = models_pb2.LinkLoggedModelsRequest(run_id=spec.source_run_id, outputs=[output])
    # In this order, whatever the clock does meanwhile.
    numbers = itertools.count(time.time_ns())
    try:
        _store_message(gathering, uri, spec.model_id, CREATE, spec.SerializeToString(), next(numbers))
        for file in files:
            waiting.store(gathering, file.source, spec.model_id, file.path, uri, number_ns=next(numbers))
        _store_message(gathering, uri, spec.model_id, FINISH, end.SerializeToString(), next(numbers))
        _publish(gathering, outbox / spec.model_id)
    except BaseException:
        shutil.rmtree(gathering, ignore_errors=True)
        raise


def _publish(gathering: Path, folder: Path) -> None:
    try:
        gathering.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        # An earlier attempt waits, or what was logged to the model by other calls: behind that, file by file; the note
        # that makes the model READY is the last one of all.
        for note in waiting.notes(gathering):
            note.with_suffix(".data").rename(folder / note.with_suffix(".data").name)
            note.rename(folder / note.name)
        gathering.rmdir()
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _store_message(folder: Path, uri: str, model_id: str, kind: str, data: bytes, number_ns: int) -> None:
    with tempfile.NamedTemporaryFile(prefix="stepwell-") as file:
        file.write(data)
        file.flush()
        waiting.store(folder, Path(file.name), model_id, kind, uri, kind=kind, number_ns=number_ns)


def deliver(target: str, entry: Entry, data: Path) -> None:
    """Do what the note of a model says.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when the run of the model is not there yet.
    """
    from stepwell_api.v1 import models_pb2

    connection, content = connect(target), data.read_bytes()
    if entry.kind == CREATE:
        create = models_pb2.CreateLoggedModelRequest(spec=models_pb2.LoggedModelSpec.FromString(content))
        connection.call(lambda server: server.models.CreateLoggedModel(create))
        return
    link = models_pb2.LinkLoggedModelsRequest.FromString(content)
    if link.run_id:
        connection.call(lambda server: server.models.LinkLoggedModels(link))
    ready = models_pb2.FinalizeLoggedModelRequest(
        model_id=entry.run_id, status=models_pb2.LOGGED_MODEL_STATUS_READY
    )
    connection.call(lambda server: server.models.FinalizeLoggedModel(ready))


def is_model_id(owner: str) -> bool:
    """Tell the id of a logged model from that of a run."""
    return owner.startswith(MODEL_PREFIX)


def is_of_model(folder: Path) -> bool:
    """Tell whether a folder of the outbox is that of a model: all of it is delivered in order, or nothing more."""
    return is_model_id(folder.name)


def fail(target: str, model_id: str, reason: str) -> None:
    """Say, if it can be said, that a model will never be complete."""
    from stepwell_api.v1 import models_pb2

    failed = models_pb2.FinalizeLoggedModelRequest(
        model_id=model_id,
        status=models_pb2.LOGGED_MODEL_STATUS_FAILED,
        status_message=reason[:REASON_CHARS_MAX],
    )
    with contextlib.suppress(StepwellException):
        connect(target).call(lambda server: server.models.FinalizeLoggedModel(failed))


def remove_unfinished(outbox: Path) -> None:
    """Remove what processes that died a day ago were gathering."""
    oldest_s = time.time() - UNFINISHED_AGE_MAX_S
    for folder in outbox.glob(f"{UNFINISHED_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_mtime < oldest_s and not folder.is_symlink():
                shutil.rmtree(folder)


def no_room(uri: str, outbox: Path, error: OSError) -> StepwellException:
    """Return the error of a model that cannot wait."""
    return StepwellException(
        f"The server {uri} is away, and the model cannot wait in {outbox}: {error.strerror or error}. "
        "Make room, or name another folder with STEPWELL_SPOOL_DIR.",
        "RESOURCE_EXHAUSTED",
    )
