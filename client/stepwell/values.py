"""What a logged value, key or time may be, and how it becomes plain Python.

The limits are MLflow's, so that what fits there fits here. Everything raises StepwellException
INVALID_PARAMETER_VALUE with a message that names the key.
"""

import operator
import posixpath
import re
from collections.abc import Iterator, Mapping
from logging import getLogger
from numbers import Integral, Real
from typing import Any

from stepwell import settings
from stepwell.entities import RUN_NAME_TAG, DatasetInput
from stepwell.errors import invalid

KEY_CHARS_MAX = 250
PARAM_VALUE_CHARS_MAX = 6_000
RUN_TAG_VALUE_CHARS_MAX = 8_000
EXPERIMENT_TAG_VALUE_CHARS_MAX = 20_000
RUN_NAME_CHARS_MAX = 500
EXPERIMENT_NAME_CHARS_MAX = 500

INPUT_TAG_VALUE_CHARS_MAX = 500
_DATASET_CHARS_MAX = {
    "name": 500,
    "digest": 36,
    "source_type": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 1_048_575,
}

STEP_MIN = -(2**63)
STEP_MAX = 2**63 - 1
TIMESTAMP_MS_MAX = 2**63 - 1

_KEY_CHARS = re.compile(r"[/\w.\- :]+")
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
# How deep dictionaries of params are opened; what lies deeper, or holds itself, becomes text.
PARAM_DEPTH_MAX = 20
# How many wrappers (a size-1 array of tensors, say) are opened before giving up.
_UNWRAP_DEPTH_MAX = 4

_log = getLogger("stepwell")


def to_number(key: str, value: object) -> float:
    """Return a metric value as a float.

    Takes what float() takes: Python numbers, True and False, texts such as "0.5", numpy scalars, arrays and tensors of
    one element (numpy, PyTorch, TensorFlow, JAX).
    """
    plain = _unwrapped(key, value)
    if isinstance(plain, (bytes, bytearray)):  # float() would take them for text
        raise _not_a_number(key, value)
    try:
        return float(plain)  # type: ignore[arg-type]  # TypeError is the answer for the rest
    except (TypeError, ValueError, OverflowError):
        raise _not_a_number(key, value) from None


def _unwrapped(key: str, value: object) -> object:
    for _ in range(_UNWRAP_DEPTH_MAX):
        # numpy, PyTorch and JAX have item(); TensorFlow has numpy(), whose result has item().
        unwrap = getattr(value, "item", None) or getattr(value, "numpy", None)
        if isinstance(value, (float, int)) or not callable(unwrap):
            return value
        try:
            value = unwrap()
        except (TypeError, ValueError, RuntimeError) as error:
            raise invalid(f"Metric {key!r}: the value must be a single number: {error}") from None
    return value


def _not_a_number(key: str, value: object) -> Exception:
    return invalid(
        f"Metric {key!r}: the value must be a number, not {_shown(value)} of type {type(value).__name__}."
    )


def to_step(key: str, step: object, kind: str = "Metric") -> int:
    """Return a step: any 64-bit integer, None for 0; whole floats and numpy integers are taken.

    `kind` and `key` say whose it is, for the message.
    """
    if step is None:
        return 0
    return to_integer(f"{kind} {key!r}: the step", step, STEP_MIN, STEP_MAX)


def to_timestamp_ms(key: str, timestamp: object, kind: str = "Metric") -> int:
    """Return a timestamp: milliseconds since the epoch, not negative; `kind` and `key` as in `to_step`."""
    return to_integer(f"{kind} {key!r}: the timestamp in ms", timestamp, 0, TIMESTAMP_MS_MAX)


def to_integer(what: str, value: object, lowest: int, highest: int) -> int:
    """Return a whole number within bounds; `what` begins the message when it is none."""
    if isinstance(value, Real) and not isinstance(value, Integral) and float(value).is_integer():
        # Whole, however it is written: 3.0, numpy's float32(3).
        value = int(float(value))
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # TypeError is the answer for the rest
    except TypeError:
        raise invalid(f"{what} must be an integer, not {_shown(value)}.") from None
    if isinstance(value, bool) or not lowest <= number <= highest:
        raise invalid(f"{what} must be an integer from {lowest} to {highest}, not {_shown(value)}.")
    return number


def check_key(kind: str, key: object) -> str:
    """Return the name of a metric, param or tag (`kind` says which) if it may be one."""
    if not isinstance(key, str):
        raise invalid(f"{kind} names are strings, not {_shown(key)}.")
    if len(key) > KEY_CHARS_MAX:
        raise invalid(
            f"{kind} name {_shown(key)} has {len(key)} characters; at most {KEY_CHARS_MAX} are allowed."
        )
    if not _KEY_CHARS.fullmatch(key):
        raise invalid(
            f"{kind} name {key!r}: use letters, digits, underscores, dashes, periods, spaces, colons and slashes."
        )
    is_path = "/" in key  # others need no look at their parts
    if (is_path and key != posixpath.normpath(key)) or key == "." or key.startswith(("/", "..")):
        raise invalid(
            f"{kind} name {key!r}: slashes stand between parts, as in 'train/loss', and no part is empty, '.' or '..'."
        )
    return key


def to_param_value(key: str, value: object) -> str:
    """Return a param's value as text; too long values are cut or refused as the settings say."""
    return _text(f"Param {key!r}: the value", str(value), PARAM_VALUE_CHARS_MAX, truncate=True)


def flattened(params: object, separator: object) -> dict[str, Any]:
    """Return nested dictionaries as one, whose names are joined; one that is empty is a value."""
    if not isinstance(params, Mapping):
        raise invalid(
            f"params must be a dictionary of names and values, not of type {type(params).__name__}."
        )
    if not isinstance(separator, str) or not separator:
        raise invalid(f"flatten is True, False or the text between names, not {_shown(separator)}.")
    flat: dict[str, Any] = {}
    for path, value in _leaves(params, (), PARAM_DEPTH_MAX):
        name = separator.join(path)
        if name in flat:
            raise invalid(f"Two of the nested params get the name {name!r}; rename one.")
        flat[name] = value
    return flat


def _leaves(
    params: Mapping[Any, Any], above: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in params.items():
        path = (*above, str(key))
        if isinstance(value, Mapping) and value and depth:
            yield from _leaves(value, path, depth - 1)
        else:
            yield path, value


def to_tag_value(key: str, value: object) -> str:
    """Return a run tag's value as text; too long values are cut or refused as the settings say."""
    return _text(f"Tag {key!r}: the value", str(value), RUN_TAG_VALUE_CHARS_MAX, truncate=True)


def to_run_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Check and convert the tags of a run."""
    checked = {check_key("Tag", key): to_tag_value(key, value) for key, value in (tags or {}).items()}
    if RUN_NAME_TAG in checked:
        check_run_name(checked[RUN_NAME_TAG])
    return checked


def to_experiment_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Check and convert the tags of an experiment."""
    return {
        check_key("Tag", key): _text(f"Tag {key!r}: the value", str(value), EXPERIMENT_TAG_VALUE_CHARS_MAX)
        for key, value in (tags or {}).items()
    }


def check_input(used: DatasetInput) -> DatasetInput:
    """Return a data set of a run if it may be one."""
    dataset = used.dataset
    if not dataset.name or not dataset.digest:
        raise invalid(
            f"A data set needs a name and a digest, not {_shown(dataset.name)} and {_shown(dataset.digest)}."
        )
    what = f"Data set {_shown(dataset.name)}"
    for part, chars_max in _DATASET_CHARS_MAX.items():
        _text(f"{what}: the {part.replace('_', ' ')}", str(getattr(dataset, part) or ""), chars_max)
    for tag in used.tags:
        _text(
            f"{what}: the value of tag {check_key('Tag', tag.key)!r}",
            str(tag.value),
            INPUT_TAG_VALUE_CHARS_MAX,
        )
    return used


def check_dataset_name(name: str, digest: str) -> tuple[str, str]:
    """Return name and digest of a data set; StepwellException INVALID_PARAMETER_VALUE when one is too long."""
    for what, text in (("name", name), ("digest", digest)):
        _text(f"The {what} of data set {_shown(name)}", text, _DATASET_CHARS_MAX[what])
    return name, digest


def check_run_name(name: object) -> str:
    """Return a run's name if it may be one."""
    if not isinstance(name, str) or not name.strip():
        raise invalid(f"The name of a run must be a string that is not empty, not {_shown(name)}.")
    return _text("The name of the run", name, RUN_NAME_CHARS_MAX)


def check_experiment_name(name: object) -> str:
    """Return an experiment's name if it may be one."""
    if not isinstance(name, str) or not name.strip():
        raise invalid(f"The name of an experiment must be a string that is not empty, not {_shown(name)}.")
    return _text("The name of the experiment", name, EXPERIMENT_NAME_CHARS_MAX)


def to_experiment_id(experiment_id: object) -> int:
    """Return the number behind an experiment id, which people write as a string or a number."""
    text = str(experiment_id)
    if isinstance(experiment_id, bool) or not (text.isascii() and text.isdigit()) or int(text) > STEP_MAX:
        raise invalid(f"An experiment id is a number such as '1', not {_shown(experiment_id)}.")
    return int(text)


def to_run_id(run_id: object) -> str:
    """Return a run id as 32 lower-case hexadecimal digits; UUIDs with dashes are taken."""
    text = str(run_id).replace("-", "").lower()
    if not _RUN_ID.fullmatch(text):
        raise invalid(f"A run id has 32 hexadecimal digits; {_shown(run_id)} is none.")
    return text


def to_model_id(model_id: object) -> str:
    """Return the id of a logged model as m- and 32 hexadecimal digits.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for anything else.
    """
    text = str(model_id)
    if not _MODEL_ID.fullmatch(text):
        raise invalid(f"A model's id is m- and 32 hexadecimal digits, not {text[:60]!r}.")
    return text


def _text(what: str, text: str, chars_max: int, *, truncate: bool = False) -> str:
    if "\0" in text:
        raise invalid(f"{what} contains a NUL character, which PostgreSQL cannot store.")
    if not text.isascii():
        _check_unicode(what, text)
    if len(text) <= chars_max:
        return text
    if not (truncate and settings.truncate_long_values()):
        raise invalid(f"{what} has {len(text)} characters; at most {chars_max} are allowed.")
    _log.warning("%s has %d characters; only the first %d are kept.", what, len(text), chars_max)
    return text[:chars_max]


def _check_unicode(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid(f"{what} contains half of a surrogate pair, which is no Unicode text.") from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def to_columns(key: str, values: Any, steps: Any, timestamps: Any, now_ms: int) -> tuple[Any, Any, Any]:
    """Return an array of a metric as columns of one length: int64 steps, int64 timestamps, float64 values.

    Steps are 0, 1, 2, ... if not given; timestamps are now, one for all or one for each, in milliseconds.
    """
    import numpy as np

    value_column = _column(key, "values", values, np.float64)
    count = len(value_column)
    step_column = np.arange(count) if steps is None else _column(key, "steps", steps, np.int64)
    if timestamps is None or _array(key, "timestamps", timestamps).ndim == 0:
        time = now_ms if timestamps is None else to_timestamp_ms(key, timestamps)
        time_column = np.full(count, time, np.int64)
    else:
        time_column = _column(key, "timestamps", timestamps, np.int64)
    if not len(step_column) == len(time_column) == count:
        lengths = f"{count} values, {len(step_column)} steps, {len(time_column)} timestamps"
        raise invalid(
            f"Metric {key!r}: values, steps and timestamps must have the same length; there are {lengths}."
        )
    if count and int(time_column.min()) < 0:
        raise invalid(f"Metric {key!r}: timestamps must be milliseconds since the epoch, at least 0.")
    return step_column, time_column, value_column


def _array(key: str, what: str, given: Any) -> Any:
    """A numpy array of a list, an array, or a tensor of PyTorch, TensorFlow or JAX."""
    import numpy as np

    try:
        for method in ("detach", "cpu"):
            if callable(unwrap := getattr(given, method, None)):
                given = unwrap()
        array = _as_numpy(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise invalid(f"Metric {key!r}: {what} must be one list or array of numbers: {error}") from None
    # JAX's numbers of 16 bits, which numpy can only convert.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _as_numpy(given: Any) -> Any:
    import numpy as np

    try:
        return np.asarray(given)
    except TypeError:  # PyTorch's numbers of 16 bits, which it does not hand out
        if not callable(widened := getattr(given, "float", None)):
            raise
        return np.asarray(widened())


def _column(key: str, what: str, given: Any, kind: Any) -> Any:
    import numpy as np

    array = _array(key, what, given)
    allowed = "biuf" if kind is np.float64 else "iu"
    if array.ndim != 1 or (array.dtype.kind not in allowed and len(array)):
        wanted = "numbers" if kind is np.float64 else "whole numbers"
        raise invalid(
            f"Metric {key!r}: {what} must be one list or one-dimensional array of {wanted}, not "
            f"{array.ndim} dimensions of {array.dtype}."
        )
    if array.dtype == np.uint64 and kind is np.int64 and len(array) and int(array.max()) > STEP_MAX:
        raise invalid(
            f"Metric {key!r}: {what} must fit in 64 bits with a sign; the largest is {int(array.max())}."
        )
    return np.ascontiguousarray(array, kind)
