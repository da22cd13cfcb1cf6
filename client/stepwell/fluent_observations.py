"""Histograms, alerts, sounds and videos of the active run. Without one, the first of them starts one."""

from typing import TYPE_CHECKING, Any

from stepwell.client import StepwellClient
from stepwell.delivery.histograms import BINS_DEFAULT
from stepwell.errors import short
from stepwell.runs import active

if TYPE_CHECKING:
    from datetime import timedelta


@short
def log_histogram(
    key: str,
    values: Any = None,
    step: int | None = None,
    *,
    bins: int = BINS_DEFAULT,
    counts: Any = None,
    edges: Any = None,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Log how values (weights, gradients, predictions) are distributed at a step; the values themselves are not kept.

    It does not wait, and is safe and stored once, like a point.

    Args:
        key: its name, like that of a metric.
        values: numbers of any shape: a list, an array, a tensor of PyTorch, TensorFlow or JAX. Those that are not
            finite are counted apart.
        step: any 64-bit integer, 0 if not given. Of several at one step, the last one shows.
        bins: of equal width between the least and the greatest value, 1 to 512.
        counts: instead of values, how many each bin has, shape (n,), n from 1 to 512.
        edges: with counts, the ends of the bins, shape (n + 1,), as numpy.histogram returns both.
        timestamp: milliseconds since the epoch, now if not given.
        run_id: another run than the active one.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    client, run = _place(run_id)
    client.log_histogram(run, key, values, step, bins=bins, counts=counts, edges=edges, timestamp=timestamp)


@short
def alert(
    title: str,
    text: str = "",
    level: Any = "INFO",
    wait_duration: "float | timedelta" = 0,
    run_id: str | None = None,
) -> bool:
    """Tell people something at once: on the page, and by the webhooks that want alerts.

    It does not wait, is safe and stored once, like a point, and is sent when a server is there.

    Args:
        title: one line, at most 250 characters.
        text: at most 10,000 characters.
        level: "INFO", "WARNING" (or "WARN") or "ERROR".
        wait_duration: seconds, or a timedelta: the same title is not raised again before.
        run_id: another run than the active one.

    Returns:
        Whether it was raised: False when `wait_duration` kept it back.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    client, run = _place(run_id)
    return client.alert(run, title, text, level, wait_duration=wait_duration)


@short
def log_audio(
    audio: Any,
    key: str,
    step: int | None = None,
    *,
    sample_rate: int = 44_100,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Log a sound as one of a series, as log_image does it with pictures.

    Args:
        audio: a file (.wav .mp3 .flac .ogg .m4a .opus), or an array of the shape (n,) or (n, channels): floats from
            -1 to 1, or int16; it becomes a WAV file.
        key: name of the series.
        step: any 64-bit integer, 0 if not given.
        sample_rate: of an array, in Hz.
        timestamp: milliseconds since the epoch, now if not given.
        run_id: another run than the active one.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
        ValueError: the key has other characters than letters, digits, `_`, `-`, `.`, `/` and spaces.
    """
    client, run = _place(run_id)
    client.log_audio(run, audio, key, step, sample_rate=sample_rate, timestamp=timestamp)


@short
def log_video(
    video: Any,
    key: str,
    step: int | None = None,
    *,
    fps: float = 4,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Log a video as one of a series; arguments as in log_audio.

    Args:
        video: a file (.mp4 .webm .gif .mov .mkv .ogv), or an array of the shape (frames, h, w) or (frames, h, w, 3)
            with numbers as in log_image; it becomes a GIF.
        key: name of the series.
        step: any 64-bit integer, 0 if not given.
        fps: of an array, frames a second.
        timestamp: milliseconds since the epoch, now if not given.
        run_id: another run than the active one.
    """
    client, run = _place(run_id)
    client.log_video(run, video, key, step, fps=fps, timestamp=timestamp)


def _place(run_id: str | None) -> tuple[StepwellClient, str]:
    """Return where to log: the given run on the usual server, or the active run on its own."""
    if run_id is not None:
        return StepwellClient(), run_id
    run = active.active_run() or active.start_run()
    return StepwellClient(run.writer.uri), run.info.run_id
