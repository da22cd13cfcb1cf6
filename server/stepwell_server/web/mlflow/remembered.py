"""Parts of answers that were given lately: pages with charts ask for the same series again and again.

Each is of one series, as it stands in JSON, with the mark of what it was made of (`model.ThinnedSeries`). Whoever asks
finds out first whether the mark is still the same, so nothing of it is ever out of date, whoever has written what.
"""

from collections import OrderedDict
from dataclasses import dataclass

from stepwell_server.model.series import Selection, SeriesName

# 400 series of MLflow's charts, 320 points each; what was not asked for longest is forgotten.
REMEMBERED_BYTES_MAX = 16 * 2**20
# What a part costs beside its text.
PART_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for."""

    name: SeriesName
    selection: Selection
    wanted: int


@dataclass(frozen=True, slots=True)
class Part:
    """The text of one series in an answer."""

    mark: bytes
    text: bytes


class Remembered:
    """Parts of answers, in a bounded number of bytes.

    The text is kept when something is answered for the second time: much is asked for only once.
    """

    def __init__(self, bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._parts: OrderedDict[Asked, Part] = OrderedDict()

    def get(self, asked: Asked) -> Part | None:
        """Return what was answered; the caller has to look whether the mark is still good."""
        part = self._parts.get(asked)
        if part is None or not part.text:
            return None
        self._parts.move_to_end(asked)
        return part

    def put(self, asked: Asked, part: Part) -> None:
        """Remember what was answered, or the first time only that it was."""
        kept = part if asked in self._parts else Part(part.mark, b"")
        self._forget(asked)
        self._parts[asked] = kept
        self._bytes += _size(kept)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._parts)))

    def _forget(self, asked: Asked) -> None:
        part = self._parts.pop(asked, None)
        if part is not None:
            self._bytes -= _size(part)


def _size(part: Part) -> int:
    return PART_BYTES + len(part.text)
