"""The accounts themselves: what they have to notice."""

from collections import Counter

from tests.faults.accounting import points_astray
from tests.faults.script import Point

ONE: Point = ("loss", 1, "0x1.0p+0", 1_700_000_000_000)
SHIFTED: Point = ("loss", 1, "0x1.0p+0", 1_700_003_600_000)
BY_CLOCK: Point = ("loss", 2, "0x1.0p+0", None)
CLOCKED: Point = ("loss", 2, "0x1.0p+0", 42)


def test_agreeing_accounts() -> None:
    assert points_astray(Counter([ONE, CLOCKED]), Counter([ONE, BY_CLOCK]), Counter()) == ({}, {})


def test_a_shift_of_time_is_a_loss_and_one_too_many() -> None:
    lost, too_many = points_astray(Counter([SHIFTED]), Counter([ONE]), Counter())
    assert lost == Counter([ONE])
    assert too_many.total() == 1


def test_doubles_and_losses() -> None:
    lost, too_many = points_astray(Counter([ONE, ONE, CLOCKED, CLOCKED]), Counter([ONE, BY_CLOCK]), Counter())
    assert (lost.total(), too_many.total()) == (0, 2)
    lost, too_many = points_astray(Counter(), Counter([ONE, BY_CLOCK]), Counter())
    assert (lost.total(), too_many.total()) == (2, 0)


def test_what_a_killed_process_was_about_to_log_may_be_there() -> None:
    perhaps = Counter([ONE, BY_CLOCK])
    assert points_astray(Counter([ONE, CLOCKED]), Counter(), perhaps) == ({}, {})
    assert points_astray(Counter(), Counter(), perhaps) == ({}, {})
