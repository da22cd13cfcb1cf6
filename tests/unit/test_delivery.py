"""How far a log has come: what the receipt counts."""

from stepwell.delivery import Delivery


def test_what_a_server_had_of_a_batch_that_was_cut_differently_is_counted_once() -> None:
    delivery = Delivery()
    delivery.sent(0, 100, 100)
    delivery.settled(60)  # said by the answer to the next `open`
    assert (delivery.receipt(100).committed, delivery.receipt(100).waiting) == (60, 40)
    delivery.lost()
    delivery.sent(60, 100, 40)
    delivery.settled(100)
    assert (delivery.receipt(100).committed, delivery.receipt(100).waiting) == (100, 0)
