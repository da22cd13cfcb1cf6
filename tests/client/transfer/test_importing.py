"""What holds for imports of every source: they end in order, however they are broken off, and say the rest."""

from collections.abc import Iterator

import pytest

from stepwell import StepwellClient
from stepwell.errors import StepwellException
from stepwell.transfer.importing import import_runs
from stepwell.transfer.left import REASONS_MAX, Left
from stepwell.transfer.sources import (
    ImportedExperiment,
    ImportedModel,
    ImportedRegistered,
    ImportedRun,
    PointColumns,
    SourceError,
    columns,
)
from tests.harness.transfers import points_of, runs_of


class BreakingSource:
    """Two runs; the first one's points break off."""

    def __init__(self, failure: BaseException) -> None:
        self.left = Left()
        self._failure = failure

    def experiments(self) -> Iterator[ImportedExperiment]:
        yield ImportedExperiment("some")

    def runs(self) -> Iterator[ImportedRun]:
        for name in ("first", "second"):
            yield ImportedRun(
                source_id=name,
                experiment="some",
                name=name,
                status="KILLED",
                start_time_ms=1,
                end_time_ms=2,
                points=lambda name=name: self._points(name),  # type: ignore[misc]
                params={"lr": "1"},
            )

    def models(self) -> Iterator[ImportedModel]:
        return iter(())

    def registered(self) -> Iterator[ImportedRegistered]:
        return iter(())

    def not_taken(self) -> Iterator[str]:
        yield "a model"

    def _points(self, name: str) -> Iterator[PointColumns]:
        yield columns([("loss", 1, 1, 0.5)])
        if name == "first":
            raise self._failure


def test_points_that_break_off_keep_nothing_else_back(client: StepwellClient) -> None:
    report = import_runs(BreakingSource(SourceError("the disk is broken")))
    assert (report.runs, report.points, report.left.count) == (2, 2, 2)
    assert report.left.reasons == ["run first: the disk is broken", "a model"]
    for run in runs_of("some").values():
        assert (run.info.status, run.data.params) == ("KILLED", {"lr": "1"})
        assert points_of(run.info.run_id, "loss") == [(1, 1, 0.5)]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), StepwellException("full", "RESOURCE_EXHAUSTED")])
def test_an_import_that_is_broken_off_leaves_no_run_that_seems_to_go_on(
    client: StepwellClient, failure: BaseException
) -> None:
    with pytest.raises(type(failure)):
        import_runs(BreakingSource(failure))
    (run,) = runs_of("some").values()
    assert (run.info.run_name, run.info.status) == ("first", "KILLED")
    report = import_runs(BreakingSource(SourceError("still broken")))
    assert report.runs == 2


def test_what_is_left_is_told_without_what_a_terminal_obeys() -> None:
    left = Left()
    left.add("caf\udce9\n\x1b[31m " + "x" * 9_999, 3)
    assert left.reasons[0].startswith(r"caf\udce9\n\x1b[31m xxx")
    assert len(left.reasons[0]) < 1_100
    for number in range(REASONS_MAX):
        left.add(str(number))
    assert (left.count, len(left.reasons)) == (REASONS_MAX + 3, REASONS_MAX)
