"""A log that another process left behind, or still writes: what `stepwell sync` and later processes deliver."""

import time
from logging import getLogger
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from stepwell.delivery.progress import LINGER_S, Delivery
from stepwell.errors import StepwellException
from stepwell.spool import folders
from stepwell.spool.reader import SpoolReader
from stepwell.spool.segment_files import UnreadableSpoolError
from stepwell.spool.writer_file import WriterFile, read_writer

if TYPE_CHECKING:
    from stepwell_api.v1 import ingest_pb2

# Locks may not reach across machines. A spool of another host that was not ended is taken for dead after an hour
# without a change; until then it is delivered but stays.
FOREIGN_SILENCE_S = 3_600.0

_log = getLogger("stepwell")


class LeftLog:
    """A spool of another process. Where this process holds its lock it is deleted when it is delivered.

    Raises:
        StepwellException: it cannot be read, or is not safe to read; then it is left where it is.
    """

    def __init__(self, folder: Path, *, follow: bool = False) -> None:
        from google.protobuf.message import DecodeError

        from stepwell_api.v1 import ingest_pb2

        self.folder = folder
        self.writer: WriterFile = read_writer(folder)
        try:
            self._open_message = ingest_pb2.OpenWriter.FromString(self.writer.open_message)
        except DecodeError as error:
            raise StepwellException(
                f"The spool {folder} cannot be read: it describes no writer", "INVALID_STATE"
            ) from error
        # Whatever the lock says, a writer on another machine may still be at work.
        self.is_dead = not _may_live_elsewhere(folder, self.writer) and folders.adopt(folder)
        self.reader = SpoolReader(folder, alive=not self.is_dead)
        self.delivery = Delivery()
        self.end_position = self._readable_end()
        self._follow = follow and not self.is_dead
        self._looked = False
        # Whether it is delivered to another server than the one that has had its beginning.
        self.goes_elsewhere = False

    def _readable_end(self) -> int:
        try:
            self.reader.require_safe()
            return self.reader.end_position()
        except (OSError, UnreadableSpoolError) as error:
            folders.release(self.folder)
            raise StepwellException(
                f"The spool {self.folder} cannot be read: {error}", "INVALID_STATE"
            ) from error

    def abandon(self) -> None:
        """Let go of it; what is not delivered stays where it is."""
        folders.release(self.folder)

    def open_message(self) -> "ingest_pb2.OpenWriter":
        """Return what opens its stream."""
        message = self._open_message
        message.orphaned = not self._follow
        message.known_position = 0 if self.goes_elsewhere else self.reader.known_position()
        return message

    @property
    def first_position(self) -> int:
        """Where its writer's log begins."""
        return self.writer.first_position

    def believes(self, position: int, *, secret_checked: bool) -> bool:
        """More than is here can be committed of a copy, or while its writer lives; if so by who has its secret."""
        return secret_checked or not self.is_dead or position <= self.end_position

    def begin_anew(self) -> bool:
        """Never: from here a stolen name looks like a copy of a log that went on, which must not be stored twice."""
        return False

    def is_complete(self, position: int) -> bool:
        """Tell whether nothing is to be delivered at or after a position."""
        return not self._follow and position >= self.end_position

    def linger_s(self) -> float:
        """As of any log."""
        return LINGER_S

    @property
    def left_in_order(self) -> bool:
        """Whether its process said that nothing more comes: one that was killed has to count as gone."""
        return folders.is_ended(self.folder)

    def settled(self, position: int) -> None:
        """Look, once it is known where to begin, for what is missing. Nothing is deleted before all is delivered."""
        if self.is_dead and not self._looked:
            self._looked = True
            self.reader.find_missing(position)

    async def breathe(self) -> None:
        """See what a living writer has logged meanwhile, and whether it still lives; or that nothing is left to do."""
        if not self.is_dead and not folders.is_spool(self.folder):
            # Its own process, or somebody else, has delivered all of it.
            self._follow, self.end_position = False, 0
            self.reader.damage.forget()
        if self._follow:
            # In this order: what was logged before it died is seen.
            self._follow = folders.is_locked(self.folder)
            self.end_position = max(self.end_position, self.reader.end_position())

    def finished(self) -> None:
        """All of it is delivered."""
        if self.is_dead:
            folders.remove(self.folder)
        else:
            folders.release(self.folder)

    def run_is_deleted(self) -> None:
        """Nothing: its rejections say so."""

    def failed(self, failure: StepwellException) -> None:
        """Leave it where it is."""
        self.delivery.failed(failure)
        folders.release(self.folder)
        _log.warning("The spool %s stays: %s", self.folder, failure.message)


def _may_live_elsewhere(folder: Path, writer: WriterFile) -> bool:
    if writer.host == gethostname() or folders.is_ended(folder):
        return False
    return time.time() - folders.last_change_s(folder) < FOREIGN_SILENCE_S
