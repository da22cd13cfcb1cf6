"""Values become a histogram: counts in bins, small enough for a log entry. numpy is imported when it is asked for."""

from typing import TYPE_CHECKING, Any

from stepwell.entities import Histogram
from stepwell.errors import invalid

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS_DEFAULT = 64
BINS_MAX = 512
# Half of what floats hold, so that the distance of the ends is one, too.
VALUE_MAX = 8e307


def of_values(key: str, values: Any, bins: int, step: int, timestamp_ms: int) -> Histogram:
    """Return the histogram of numbers in bins of equal width between the least and the greatest.

    Args:
        key: its name.
        values: numbers of any shape: a list, an array, a tensor of PyTorch, TensorFlow or JAX. NaN and the
            infinities are counted and are in no bin.
        bins: 1 to 512.
        step: any 64-bit integer.
        timestamp_ms: milliseconds since the epoch.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    import numpy as np

    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or not 1 <= bins <= BINS_MAX:
        raise invalid(f"Histogram {key!r}: bins must be a whole number from 1 to {BINS_MAX}, not {bins!r}.")
    numbers = _numbers(key, values)
    finite = numbers[np.isfinite(numbers)]
    not_finite = len(numbers) - len(finite)
    if not len(finite):
        return Histogram(key, step, timestamp_ms, [0.0, 1.0], [0] * int(bins), not_finite)
    finite = np.clip(finite, -VALUE_MAX, VALUE_MAX)
    ends = _ends(float(finite.min()), float(finite.max()))
    counts, _ = np.histogram(finite, int(bins), ends)
    return Histogram(key, step, timestamp_ms, list(ends), counts.tolist(), not_finite)


def of_counts(key: str, counts: Any, edges: Any, step: int, timestamp_ms: int) -> Histogram:
    """Return the histogram of counts that somebody has made: of n bins, and with their n + 1 ends, ascending.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    import numpy as np

    number_of = _numbers(key, counts)
    ends = _numbers(key, edges)
    bins = len(number_of)
    if not 1 <= bins <= BINS_MAX or len(ends) != bins + 1:
        raise invalid(
            f"Histogram {key!r}: 1 to {BINS_MAX} counts have one more edge, as numpy.histogram returns them; these are "
            f"{bins} counts and {len(ends)} edges."
        )
    if not (np.isfinite(ends).all() and (np.diff(ends) > 0).all()):
        raise invalid(f"Histogram {key!r}: the edges must be finite and ascending.")
    if not (np.isfinite(number_of).all() and (number_of >= 0).all() and (number_of % 1 == 0).all()):
        raise invalid(f"Histogram {key!r}: the counts must be whole numbers, not negative.")
    return Histogram(key, step, timestamp_ms, ends.tolist(), number_of.astype(np.int64).tolist(), 0)


def _numbers(key: str, values: Any) -> "NDArray[Any]":
    """Return numbers of any shape as one column of floats."""
    import numpy as np

    if hasattr(values, "detach"):  # PyTorch, also of a type that numpy has not, and of a device
        values = values.detach().cpu()
        values = values.float() if "float" in str(getattr(values, "dtype", "")) else values
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"they are of type {array.dtype}")
        column = array.astype(np.float64, copy=False).ravel()
    except (TypeError, ValueError, RuntimeError) as error:
        raise invalid(f"Histogram {key!r}: the values must be numbers: {error}") from None
    if not len(column):
        raise invalid(f"Histogram {key!r}: there are no values.")
    return column


def _ends(least: float, greatest: float) -> tuple[float, float]:
    """Return the outer ends of the bins, apart also where all values are equal."""
    if least < greatest:
        return least, greatest
    room = max(0.5, abs(least) * 1e-6)
    return least - room, greatest + room
