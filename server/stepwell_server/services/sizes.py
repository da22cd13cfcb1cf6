"""How large things are on the wire, and what of them fits into an answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stepwell_server.model.runs import WHOLE_RUN, Experiment, Run

# What an answer holds, about; a message has 8 MiB.
ANSWER_BYTES_MAX = 4 * 2**20
# And as many of the data sets of its runs.
ANSWER_INPUT_BYTES_MAX = 3 * 2**20
ROW_BYTES = 200  # of a run or an experiment without what it logged
ITEM_BYTES = 24  # of a param, a tag or a metric without its texts
SUMMARY_BYTES = 40  # of all points of a metric


def text_bytes(text: str) -> int:
    """Return how large a text is, encoded."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def texts_bytes(texts: Iterable[str]) -> int:
    """Return how large texts are together, encoded; one long text is measured much faster than many short ones."""
    return text_bytes("".join(texts))


def pairs_bytes(pairs: Mapping[str, str]) -> int:
    """Return about how large pairs of texts are."""
    return ITEM_BYTES * len(pairs) + texts_bytes(pairs) + texts_bytes(pairs.values())


def run_bytes(run: Run) -> int:
    """Return about how large a run is."""
    each = ITEM_BYTES + (SUMMARY_BYTES if run.metrics and run.metrics[0].summary else 0)
    metrics = each * len(run.metrics) + texts_bytes([metric.key for metric in run.metrics])
    return ROW_BYTES + pairs_bytes(run.params) + pairs_bytes(run.tags) + metrics


def experiment_bytes(experiment: Experiment) -> int:
    """Return about how large an experiment is."""
    return ROW_BYTES + pairs_bytes(experiment.tags)


def fitting_run(run: Run, bytes_max: int = ANSWER_BYTES_MAX) -> Run:
    """Return a run with as much as fits of what it logged; where that is not all, the rest is all of it."""
    if run_bytes(run) <= bytes_max:
        return run
    room = bytes_max - ROW_BYTES
    params, room = _fitting_pairs(run.params, room)
    tags, room = _fitting_pairs(run.tags, room)
    metrics = []
    for metric in run.metrics:
        room -= ITEM_BYTES + SUMMARY_BYTES + text_bytes(metric.key)
        if room < 0:
            break
        metrics.append(metric)
    return replace(run, params=params, tags=tags, metrics=metrics, rest=WHOLE_RUN)


def fitting_experiment(experiment: Experiment, bytes_max: int = ANSWER_BYTES_MAX) -> Experiment:
    """Return an experiment with as many of its tags as fit: from before they were bounded, there may be more."""
    if experiment_bytes(experiment) <= bytes_max:
        return experiment
    tags, _ = _fitting_pairs(experiment.tags, bytes_max - ROW_BYTES)
    return replace(experiment, tags=tags)


def _fitting_pairs(pairs: Mapping[str, str], room: int) -> tuple[dict[str, str], int]:
    """Return the first pairs that have room, and the room that is left."""
    fitting: dict[str, str] = {}
    for key, value in pairs.items():
        room -= pairs_bytes({key: value})
        if room < 0:
            break
        fitting[key] = value
    return fitting, room


def rows_that_fit(sizes: Sequence[int], bytes_max: int = ANSWER_BYTES_MAX) -> int:
    """Return how many of the first rows an answer holds, by their sizes: at least one, if there is any."""
    for count, size in enumerate(sizes):
        bytes_max -= size
        if count and bytes_max < 0:
            return count
    return len(sizes)
