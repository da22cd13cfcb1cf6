"""Values as MLflow's stores have them."""

import math
import sys
from collections.abc import Callable

from stepwell.entities import RunStatus
from stepwell.errors import StepwellException

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def restored(value: float | None) -> float:
    """Return a value as it was logged; None is NaN, and the largest numbers are the infinities."""
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value


def point(key: str, step: object, timestamp: object, value: object) -> tuple[str, int, int, float]:
    """Return a point of a store. Raises ValueError when it is none."""
    if type(step) is int and type(timestamp) is int and type(value) is float:  # nearly always: SQLite's own
        return key, step, timestamp, restored(value)
    whole = [number if isinstance(number, int) else int(str(number)) for number in (step or 0, timestamp)]
    if not all(INT64_MIN <= number <= INT64_MAX for number in whole):
        raise ValueError(f"{max(whole, key=abs)} has more than 64 bits")
    return key, whole[0], whole[1], restored(None if value is None else float(str(value)))


def status_of(status: object, end_time_ms: int | None, tell: Callable[[str], None]) -> str:
    """Return the name of a status. Of one that there is not, `tell` hears, and the run is taken to have ended."""
    try:
        if isinstance(status, int):
            return RunStatus.to_string(status)
        RunStatus.from_string(str(status))
    except StepwellException:
        taken = "FAILED" if end_time_ms is None else "FINISHED"
        tell(
            f"there is no status {status!r}; it is taken for {taken}"
            if status
            else f"it has no status; it is taken for {taken}"
        )
        return taken
    return str(status)


def time_of(what: str, value: object, tell: Callable[[str], None]) -> int | None:
    """Return a time in milliseconds, or None when there is none; `tell` hears of what is no time."""
    if value is None or value == "":
        return None
    try:
        found = int(str(value))
    except ValueError:
        tell(f"its {what} is no time: {str(value)[:60]!r}")
        return None
    if not 0 <= found <= INT64_MAX:
        tell(f"its {what} is no time in milliseconds since 1970: {found}")
        return None
    return found
