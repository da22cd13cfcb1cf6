"""What compaction remembers of writers, and hands on."""

from uuid import uuid4

import pytest

from stepwell_server.store.upkeep import settling as settling_module
from stepwell_server.store.upkeep.settling import Settling


class Clock:
    """A clock that is put forward."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_notes_tell_another_process_all_of_it_by_its_own_clock() -> None:
    ours, theirs = Clock(1_000.0), Clock(5.0)
    one, other = (uuid4(), uuid4()), (uuid4(), uuid4())
    before, after = Settling(30.0, ours), Settling(30.0, theirs)
    before.note(one, 2**62, 64)
    before.note(other, 7, 3)
    before.expect(other, 4, merged=False)
    ours.now += 20
    before.note(one, 2**62 + 5, 70)
    before.note(other, 9, 5)
    notes = before.end_round()
    for age_s, positions, due in [(9.0, (0, 0), (False, False)), (10.0, (2**62, 7), (True, False))]:
        after.resume(notes, age_s)
        assert (after.settled_position(one), after.settled_position(other)) == positions
        assert (after.may_be_due(one), after.may_be_due(other)) == due
    theirs.now += 20
    assert (after.settled_position(one), after.settled_position(other)) == (2**62, 7)
    after.note(one, 2**62 + 5, 70)
    after.note(other, 9, 5)
    assert (after.settled_position(one), after.settled_position(other)) == (2**62 + 5, 9)
    assert after.may_be_due(other)


def test_notes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling_module, "NOTED_MARKS_MAX", 2)
    writers = [(uuid4(), uuid4()) for _ in range(3)]
    before, after = Settling(), Settling()
    for each in writers:
        before.note(each, 8, 1)
    after.resume(before.end_round(), 31.0)
    for each in writers:
        after.note(each, 9, 2)
    assert [after.settled_position(each) for each in writers] == [8, 8, 0]
