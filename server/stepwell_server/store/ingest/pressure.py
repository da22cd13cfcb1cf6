"""Back-pressure of compaction: where it falls behind, small pieces wait longer for each other before their commit.

Chunks are what compaction costs, whatever few points they hold. So acknowledgements are slowed, gently: meanwhile more
points of a series gather here and in the clients' spools, and become one chunk. Their number sinks until compaction
keeps up, and what waits for it stays bounded. Commits of many points a series are not slowed, nor is anybody as long
as compaction is less than 20 s behind.
"""

import numpy as np

from stepwell_server.process.logger import get_logger
from stepwell_server.process.telemetry import COMMIT_PACE, COMPACTION_BEHIND

# Small pieces of several writers wait for each other so long, counted from the last transaction's start: pieces of a
# series that meet in one transaction become one chunk instead of several, and a chunk costs more than its points.
PACE_S = 0.2
# With 10 s, 300,000 series that go on are 30,000 chunks a second, as many as two cores merge.
PACE_MAX_S = 10.0
# Compaction is behind by the time since the last round of the range that waits longest: up to 20 s where it keeps up.
# From 40 s on, small pieces wait a second for each 40 s. A round takes as long as what came during the last one, so
# what is in proportion to it settles, as many chunks a round however slow the machine; what rises faster would swing.
# Of a metric that is logged each second a round has 40, with some to spare for the 24 that are worth a merge: where
# these are missed, rounds that merge nothing and rounds that merge everything take turns. Between 20 and 40 s it rises
# without a jump, or what is logged more often would come at full speed and at a fifth of it in turns.
BEHIND_S = (20.0, 40.0, 400.0)
PACES_S = (PACE_S, 1.0, PACE_MAX_S)
# The log tells from here on.
BEHIND_TOLD_S = 40.0

_log = get_logger(__name__)


class Pressure:
    """Is told how far compaction is behind, and tells how long small pieces wait for each other."""

    def __init__(self) -> None:
        # From the start of a transaction to that of the next one, while only small pieces wait.
        self.pace_s = PACE_S
        self._is_told = False
        COMMIT_PACE.set(PACE_S)

    @property
    def is_on(self) -> bool:
        """Whether commits are slowed."""
        return self.pace_s > PACE_S

    def note(self, behind_s: float) -> None:
        """Take note of how far compaction is behind; the log says when that is much, and when it is over."""
        self.pace_s = float(np.interp(behind_s, BEHIND_S, PACES_S))
        COMPACTION_BEHIND.set(behind_s)
        COMMIT_PACE.set(self.pace_s)
        if behind_s >= BEHIND_TOLD_S and not self._is_told:
            self._is_told = True
            _log.warning(
                "compaction is behind: commits of few points wait longer for each other",
                behind_s=round(behind_s),
                pace_s_max=PACE_MAX_S,
            )
        elif self._is_told and not self.is_on:
            self._is_told = False
            _log.info("compaction keeps up again: commits are not slowed any more", behind_s=round(behind_s))
