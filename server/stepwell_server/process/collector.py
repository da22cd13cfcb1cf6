"""Python's collector of cycles, told what a server makes and keeps."""

import gc
from traceback import clear_frames

# A commit of thousands of small chunks makes tens of thousands of tuples that go by themselves. With Python's 700, each
# commit sets off dozens of searches; measured, that doubled the time to prepare it.
YOUNG_OBJECTS_MAX = 20_000
# So many searches among the young ones, until the older ones are looked at: cycles of closed streams stay below 50 MB.
SEARCHES_PER_GENERATION = 5


def spare_what_stays() -> None:
    """Leave out of all searches what exists now, and search less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, SEARCHES_PER_GENERATION, SEARCHES_PER_GENERATION)


def forget_what_was_sent(*ends: object) -> None:
    """Let go of what the places held where errors were raised.

    A task and its error hold each other, and so a message of megabytes, until Python looks for cycles: seldom here.
    """
    for error in ends:
        if isinstance(error, BaseException):
            clear_frames(error.__traceback__)
