"""Experiments of a source: found by their names here, or made."""

from collections import Counter
from collections.abc import Mapping

from stepwell.errors import StepwellException
from stepwell.transfer.left import Left
from stepwell.transfer.sources import ImportedExperiment
from stepwell.wire.calls import Calls

# What the server answers when it, and not one thing that is asked of it, is in trouble: then an import ends.
SERVER_FAILURES = (
    "TEMPORARILY_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
)


def reason_of(failure: StepwellException | ValueError) -> str:
    """Return why one thing was not taken; raises a failure that would meet everything else, too.

    A ValueError is protobuf's for a text that is no Unicode.
    """
    if not isinstance(failure, StepwellException):
        return f"it is no Unicode text: {failure}"
    if failure.error_code in SERVER_FAILURES:
        raise failure
    return failure.message


class Experiments:
    """The experiments of one import; those that cannot be used are told with the number of their runs."""

    def __init__(self, calls: Calls, left: Left) -> None:
        self._calls = calls
        self._left = left
        self._ids: dict[str, int | None] = {}
        self._reasons: dict[str, str] = {}
        self._runs_left: Counter[str] = Counter()

    def bring(self, imported: ImportedExperiment) -> None:
        """Find the experiment of this name, or make one, and give it its tags."""
        try:
            self._ids[imported.name] = self._found_or_made(imported)
        except (StepwellException, ValueError) as failure:
            self._ids[imported.name] = None
            self._reasons[imported.name] = reason_of(failure)

    def id_for_run(self, name: str) -> int | None:
        """Return the id of a run's experiment; None, and one more run to tell of, when there cannot be one."""
        if name not in self._ids:
            self.bring(ImportedExperiment(name))
        if self._ids[name] is None:
            self._runs_left[name] += 1
        return self._ids[name]

    def tell(self) -> None:
        """Say which experiments could not be used."""
        for name, reason in self._reasons.items():
            count = self._runs_left[name]
            self._left.add(f"experiment {name!r} with {count:,} runs: {reason}", max(1, count))

    def _found_or_made(self, imported: ImportedExperiment) -> int:
        try:
            found = self._calls.get_experiment_by_name(imported.name)
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            experiment_id = int(self._calls.create_experiment(imported.name, "", {}).experiment_id)
            self._tag(experiment_id, imported.name, imported.tags)
            return experiment_id
        if found.lifecycle_stage != "active":
            raise StepwellException(
                "it is deleted here; restore or rename it, and import again", "INVALID_STATE"
            )
        new = imported.tags.items() - found.tags.items()
        self._tag(int(found.experiment_id), imported.name, dict(new))
        return int(found.experiment_id)

    def _tag(self, experiment_id: int, name: str, tags: Mapping[str, str]) -> None:
        """Set tags; when one of them is not taken, each by itself."""
        if not tags:
            return
        try:
            self._calls.update_experiment(experiment_id, tags=tags)
        except (StepwellException, ValueError) as failure:
            reason = reason_of(failure)
            if len(tags) == 1:
                self._left.add(f"experiment {name!r}, tag {next(iter(tags))!r}: {reason}")
                return
            for key, value in tags.items():
                self._tag(experiment_id, name, {key: value})
