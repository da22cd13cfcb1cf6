"""A new attempt of a run in the same process: it writes under a writer id that rewinds do not know."""

from stepwell import writer


def retire_writer(uri: str, run_id: str) -> None:
    """Let this process's writer to a run deliver what it has and rest; the next one has a writer id of its own."""
    with writer._lock:
        retired = writer._writers.pop((uri, run_id), None)
    if retired is not None:
        retired.flush()
        retired.rest()
