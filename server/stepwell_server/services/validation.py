"""What names and values may look like. Pure functions; the limits are in `model`.

The rules are MLflow's (mlflow/utils/validation.py), and one of PostgreSQL's: text holds no NUL character.
"""

import itertools
import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.alerts import ALERT_TEXT_CHARS_MAX, ALERT_TITLE_CHARS_MAX
from stepwell_server.model.histograms import HISTOGRAM_BINS_MAX, HistogramEntry
from stepwell_server.model.runs import (
    ARTIFACT_LOCATION_CHARS_MAX,
    DATASET_DIGEST_CHARS_MAX,
    DATASET_NAME_CHARS_MAX,
    DATASET_PROFILE_CHARS_MAX,
    DATASET_SCHEMA_CHARS_MAX,
    DATASET_SOURCE_CHARS_MAX,
    DATASET_SOURCE_TYPE_CHARS_MAX,
    EXPERIMENT_NAME_CHARS_MAX,
    EXPERIMENT_TAG_VALUE_CHARS_MAX,
    INPUT_TAG_VALUE_CHARS_MAX,
    INPUTS_MAX,
    KEY_CHARS_MAX,
    PARAM_VALUE_CHARS_MAX,
    RUN_NAME_CHARS_MAX,
    RUN_NAME_TAG,
    RUN_TAG_VALUE_CHARS_MAX,
    DatasetInput,
    RunSpec,
)

# Lines of a console that come together, in bytes of UTF-8.
CONSOLE_BYTES_MAX = 65_536
# Names of machines have 253 characters at most.
HOST_CHARS_MAX = 255
USER_CHARS_MAX = 256
SHOWN_CHARS_MAX = 60  # of what was wrong, in a message

# Names are remembered, because every batch brings them again: at about 200 bytes each, 6 MB. Too long ones are not.
CHECKED_KEYS_MAX = 32_768

_KEY = re.compile(r"[/\w.\- :]+")
_INT64_MAX = 2**63 - 1


def check_key(kind: str, key: str) -> None:
    """Check the name of a metric, a param or a tag; `kind` says in the message which.

    Raises:
        InvalidArgumentError: it is empty, too long, has a character that names may not have, or is not a
            plain path (starts with a slash, has empty, `.` or `..` parts).
    """
    if not key:
        raise InvalidArgumentError(f"a {kind} needs a name; it is empty")
    _check_length(f"the name of a {kind}", key, KEY_CHARS_MAX)
    if not _KEY.fullmatch(key):
        raise InvalidArgumentError(
            f"{kind} name {shown(key)} may only have letters, digits, underscores (_), dashes (-),"
            " periods (.), spaces, colons (:) and slashes (/)"
        )
    if key != posixpath.normpath(key) or key.startswith("/") or key.split("/")[0] in {".", ".."}:
        raise InvalidArgumentError(
            f"{kind} name {shown(key)} may not start or end with a slash, or have empty, '.' or '..' parts"
        )


def metric_key_problem(key: str) -> str:
    """Return what is wrong with a metric's name; empty when nothing is."""
    return _problem_of(key) if len(key) <= KEY_CHARS_MAX else _problem_of.__wrapped__(key)


@lru_cache(CHECKED_KEYS_MAX)
def _problem_of(key: str) -> str:
    try:
        check_key("metric", key)
    except InvalidArgumentError as error:
        return str(error)
    return ""


def check_model_key(kind: str, key: str) -> None:
    """Check the name of a model's param or tag: MLflow takes any. Raises InvalidArgumentError when it is too long."""
    check_text(f"the name of a {kind}", key, KEY_CHARS_MAX)


def check_param_value(key: str, value: str) -> None:
    """Check the value of a param. Raises InvalidArgumentError when it is too long or has a NUL character."""
    check_text(f"the value of param {shown(key)}", value, PARAM_VALUE_CHARS_MAX)


def check_run_tag(key: str, value: str) -> None:
    """Check a tag of a run. Raises InvalidArgumentError as `check_key`, or when the value cannot be stored."""
    check_key("tag", key)
    check_text(f"the value of tag {shown(key)}", value, RUN_TAG_VALUE_CHARS_MAX)
    if key == RUN_NAME_TAG:
        check_run_name(value)


def check_run_name(name: str) -> None:
    """Check the name of a run. Raises InvalidArgumentError when it is blank or cannot be stored."""
    if not name.strip():
        raise InvalidArgumentError("the name of a run may not be blank")
    check_text("the name of a run", name, RUN_NAME_CHARS_MAX)


def check_experiment_name(name: str) -> None:
    """Check the name of an experiment. Raises InvalidArgumentError when it is blank or cannot be stored."""
    if not name.strip():
        raise InvalidArgumentError("an experiment needs a name; it is blank")
    check_text("the name of an experiment", name, EXPERIMENT_NAME_CHARS_MAX)


def check_artifact_location(location: str) -> None:
    """Check where artifacts go. Raises InvalidArgumentError when it cannot be stored or lies inside a run."""
    check_text("the artifact location", location, ARTIFACT_LOCATION_CHARS_MAX)
    if location.startswith("runs:"):
        raise InvalidArgumentError("the artifact location of an experiment may not be a runs: URI")


def check_experiment_tags(tags: Mapping[str, str]) -> None:
    """Check the tags of an experiment. Raises InvalidArgumentError for the first that is wrong."""
    for key, value in tags.items():
        check_key("tag", key)
        check_text(f"the value of tag {shown(key)}", value, EXPERIMENT_TAG_VALUE_CHARS_MAX)


def check_inputs(inputs: Sequence[DatasetInput]) -> None:
    """Check data sets of a run. Raises InvalidArgumentError for the first that is wrong, or when they are too many."""
    if len(inputs) > INPUTS_MAX:
        raise InvalidArgumentError(
            f"{len(inputs):,} data sets are given, at most {INPUTS_MAX:,} are allowed at once"
        )
    for it in inputs:
        dataset = it.dataset
        if not dataset.name or not dataset.digest:
            raise InvalidArgumentError("a data set needs a name and a digest")
        check_dataset_name(dataset.name, dataset.digest)
        what = f"of data set {shown(dataset.name)}"
        check_text(f"the source type {what}", dataset.source_type, DATASET_SOURCE_TYPE_CHARS_MAX)
        check_text(f"the source {what}", dataset.source, DATASET_SOURCE_CHARS_MAX)
        check_text(f"the schema {what}", dataset.schema, DATASET_SCHEMA_CHARS_MAX)
        check_text(f"the profile {what}", dataset.profile, DATASET_PROFILE_CHARS_MAX)
        for key, value in it.tags.items():
            check_key("tag", key)
            check_text(f"the value of tag {shown(key)}", value, INPUT_TAG_VALUE_CHARS_MAX)


def check_dataset_name(name: str, digest: str) -> None:
    """Check what a data set is called. Raises InvalidArgumentError when it cannot be stored."""
    check_text("the name of a data set", name, DATASET_NAME_CHARS_MAX)
    check_text(f"the digest of data set {shown(name)}", digest, DATASET_DIGEST_CHARS_MAX)


def check_time(what: str, time_ms: int) -> None:
    """Check a time in milliseconds. Raises InvalidArgumentError when it is before 1970 or past 64 bits."""
    if not 0 <= time_ms <= _INT64_MAX:
        raise InvalidArgumentError(
            f"{what} is {time_ms}; it has to be milliseconds since 1970-01-01, from 0 to {_INT64_MAX}"
        )


def checked_run_spec(spec: RunSpec) -> RunSpec:
    """Check a spec and return it with its name and its tag mlflow.runName equal, made up when there is none.

    Raises:
        InvalidArgumentError: a part of it is wrong, or the name and the tag differ.
    """
    if spec.experiment_name is not None:
        check_experiment_name(spec.experiment_name)
    for key, value in spec.tags.items():
        check_run_tag(key, value)
    check_text("the user", spec.user, USER_CHARS_MAX)
    check_time("the start time", spec.start_time_ms)
    tagged = spec.tags.get(RUN_NAME_TAG, spec.name)
    if spec.name and tagged != spec.name:
        raise InvalidArgumentError(
            f"the run's name {shown(spec.name)} and its tag {RUN_NAME_TAG} {shown(tagged)} differ; give one"
        )
    name = tagged or f"run-{spec.run_id.hex[:8]}"
    check_run_name(name)
    return replace(spec, name=name, tags={**spec.tags, RUN_NAME_TAG: name})


def check_text(what: str, text: str, chars_max: int) -> None:
    """Check a text. Raises InvalidArgumentError when it is too long or has a NUL character."""
    _check_length(what, text, chars_max)
    if "\0" in text:
        raise InvalidArgumentError(f"{what} has a NUL character, which cannot be stored; remove it")


def _check_length(what: str, text: str, chars_max: int) -> None:
    if len(text) > chars_max:
        raise InvalidArgumentError(
            f"{what} has {len(text):,} characters, at most {chars_max:,} are allowed: {shown(text)}"
        )


def shown(text: str) -> str:
    """Return a text in quotes, escaped and cut to a readable length."""
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")


def check_console(text: str, left_out: int) -> None:
    """Check lines of a console. Raises InvalidArgumentError."""
    size = len(text.encode())
    if size > CONSOLE_BYTES_MAX or "\0" in text or left_out < 0:
        raise InvalidArgumentError(
            f"lines of a console are at most {CONSOLE_BYTES_MAX} bytes at once, without NUL, behind 0 or more that "
            f"were left out; these are {size} behind {left_out}"
        )


def check_alert(title: str, text: str) -> None:
    """Check what an alert says. Raises InvalidArgumentError."""
    if not title.strip():
        raise InvalidArgumentError("an alert needs a title; it is blank")
    check_text("the title of an alert", title, ALERT_TITLE_CHARS_MAX)
    check_text("the text of an alert", text, ALERT_TEXT_CHARS_MAX)


def check_histogram(entry: HistogramEntry) -> None:
    """Check a histogram. Raises InvalidArgumentError."""
    check_key("histogram", entry.key)
    check_time(f"the time of histogram {shown(entry.key)}", entry.timestamp_ms)
    bins, edges = len(entry.counts), entry.edges
    if not 1 <= bins <= HISTOGRAM_BINS_MAX or len(edges) not in (2, bins + 1):
        raise InvalidArgumentError(
            f"histogram {shown(entry.key)} has {bins} counts and {len(edges)} edges; it has 1 to {HISTOGRAM_BINS_MAX}"
            " counts and two edges, or one more than counts"
        )
    if not all(map(math.isfinite, edges)) or any(a >= b for a, b in itertools.pairwise(edges)):
        raise InvalidArgumentError(f"the edges of histogram {shown(entry.key)} are not finite and ascending")
    if min(entry.counts) < 0 or entry.not_finite < 0:
        raise InvalidArgumentError(f"histogram {shown(entry.key)} has negative counts")


def check_host(host: str) -> None:
    """Check the name of a writer's machine. Raises InvalidArgumentError."""
    if len(host) > HOST_CHARS_MAX or "\0" in host:
        raise InvalidArgumentError(
            f"the host of a writer has {len(host):,} characters; at most {HOST_CHARS_MAX} are allowed, no NUL"
        )
