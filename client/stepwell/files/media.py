"""Sounds and moving pictures as files: what is one already is taken as it is, arrays are written."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.errors import invalid
from stepwell.files import formats

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUDIO_SUFFIXES = (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".opus")
VIDEO_SUFFIXES = (".mp4", ".webm", ".gif", ".mov", ".mkv", ".ogv")
SAMPLE_RATES = range(1, 768_001)
FPS_MAX = 100.0


def audio_suffix(audio: Any) -> str:
    """Return the suffix of the file that a sound becomes. Raises TypeError when it is none."""
    return _suffix(audio, AUDIO_SUFFIXES, "a sound", ".wav")


def video_suffix(video: Any) -> str:
    """Return the suffix of the file that a video becomes. Raises TypeError when it is none."""
    return _suffix(video, VIDEO_SUFFIXES, "a video", ".gif")


def save_audio(audio: Any, file: Path, sample_rate: int) -> None:
    """Write a sound: a file's path is copied; an array of the shape (n,) or (n, channels) becomes WAV of 16 bits.

    Floats are from -1 to 1 (what is beyond is cut), whole numbers of 16 bits as they are.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    import wave

    import numpy as np

    if isinstance(audio, (str, Path)):
        _copy(Path(audio), file)
        return
    samples = _array(audio)
    if samples.ndim not in (1, 2) or not samples.size or (samples.ndim == 2 and samples.shape[1] > 16):
        raise invalid(
            f"A sound has the shape (n,) or (n, channels), at most 16 of them, not {samples.shape}."
        )
    if isinstance(sample_rate, bool) or sample_rate not in SAMPLE_RATES:
        raise invalid(
            f"A sample rate is a whole number from 1 to {SAMPLE_RATES[-1]} Hz, not {sample_rate!r}."
        )
    if samples.dtype.kind == "f":
        samples = np.round(np.clip(np.nan_to_num(samples.astype(np.float64)), -1, 1) * 32_767)
    elif samples.dtype != np.int16:
        raise invalid(f"A sound is of floats from -1 to 1, or of int16, not of {samples.dtype}.")
    with wave.open(str(file), "wb") as target:
        target.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        target.setsampwidth(2)
        target.setframerate(int(sample_rate))
        target.writeframes(samples.astype("<i2").tobytes())


def save_video(video: Any, file: Path, fps: float) -> None:
    """Write a video: a file's path is copied; an array of the shape (frames, h, w) or (frames, h, w, 3) becomes a GIF.

    Numbers as in log_image: whole ones from 0 to 255, floats from 0 to 1.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    if isinstance(video, (str, Path)):
        _copy(Path(video), file)
        return
    frames = _array(video)
    if frames.ndim not in (3, 4) or not frames.size or (frames.ndim == 4 and frames.shape[3] not in (1, 3)):
        raise invalid(f"A video has the shape (frames, h, w) or (frames, h, w, 1 or 3), not {frames.shape}.")
    if not 0 < fps <= FPS_MAX:
        raise invalid(f"A video has more than 0 and at most {FPS_MAX:g} frames a second, not {fps!r}.")
    try:
        pictures = [formats.to_image(frame, "log_video of an array") for frame in frames]
    except (TypeError, ValueError) as error:
        raise invalid(f"A video's frames are images: {error}") from None
    first, *rest = pictures
    first.save(file, save_all=True, append_images=rest, duration=1_000 / fps, loop=0)


def _suffix(given: Any, known: tuple[str, ...], what: str, written: str) -> str:
    if isinstance(given, (str, Path)):
        suffix = Path(given).suffix.lower()
        if suffix not in known:
            raise invalid(f"The file of {what} ends in {', '.join(known)}; {str(given)!r} does not.")
        return suffix
    if not hasattr(given, "dtype") and not isinstance(given, (list, tuple)):
        raise invalid(f"{what.capitalize()} is a file's path or an array, not {type(given).__name__}.")
    return written


def _array(given: Any) -> "NDArray[Any]":
    import numpy as np

    array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if array.dtype.kind not in "biuf":
        raise invalid(f"An array of numbers is expected, not one of {array.dtype}.")
    return array


def _copy(source: Path, file: Path) -> None:
    if not source.is_file():
        raise invalid(f"{source} does not exist, or is no file.")
    shutil.copyfile(source, file)
