"""Delivers what earlier processes left in this place, one spool after another, in the background."""

import os
from logging import getLogger
from pathlib import Path
from socket import gethostname

from stepwell import background, settings, spool_folder
from stepwell.errors import StepwellException

_log = getLogger("stepwell")
_begun: set[str] = set()


def begin(uri: str) -> None:
    """Start to deliver what is left for a server, once for each process and server; not in offline mode."""
    if uri in _begun or settings.is_offline():
        return
    _begun.add(uri)
    root = settings.spool_dir() or settings.SPOOL_DIR_DEFAULT
    left = [folder for folder in spool_folder.spools(root) if not spool_folder.is_held_here(folder.resolve())]
    if left:
        background.spawn(_deliver(uri, left))


async def _deliver(uri: str, folders: list[Path]) -> None:
    from stepwell.connection import connect
    from stepwell.left_log import LeftLog
    from stepwell.shipper import Shipper

    for folder in folders:
        try:
            writer = spool_folder.read_writer(folder)
            # Those of other machines may live, whatever the lock says; `stepwell sync` looks closer.
            if writer.tracking_uri != uri or writer.host != gethostname():
                continue
            log = LeftLog(folder)
        except StepwellException as error:
            if spool_folder.is_spool(folder):  # else somebody else has delivered it meanwhile
                _log.warning("What an earlier process left cannot be delivered: %s", error.message)
            continue
        if log.is_dead:
            await Shipper(log, connect(uri)).run()
            _log.info("Delivered what an earlier process left of run %s.", writer.run_id)


os.register_at_fork(after_in_child=_begun.clear)
