"""How far a log has come: what the receipt counts."""

import time

from stepwell.delivery.progress import UNREACHABLE_PATIENCE_S, Delivery


def test_what_a_server_had_of_a_batch_that_was_cut_differently_is_counted_once() -> None:
    delivery = Delivery()
    delivery.sent(0, 100, 100)
    delivery.settled(60)  # said by the answer to the next `open`
    assert (delivery.receipt(100).committed, delivery.receipt(100).waiting) == (60, 40)
    delivery.lost()
    delivery.sent(60, 100, 40)
    delivery.settled(100)
    assert (delivery.receipt(100).committed, delivery.receipt(100).waiting) == (100, 0)


def test_nobody_waits_for_a_server_that_was_away_for_long_before() -> None:
    delivery = Delivery()
    delivery.unreachable(time.monotonic() - UNREACHABLE_PATIENCE_S)
    assert not delivery.wait(1, 3_600)


def test_patience_ends_in_the_middle_of_a_wait() -> None:
    delivery = Delivery()
    since = time.monotonic() - UNREACHABLE_PATIENCE_S + 0.2
    delivery.unreachable(since)
    assert not delivery.wait(1, 3_600)
    assert time.monotonic() - since < 2 * UNREACHABLE_PATIENCE_S - 1
