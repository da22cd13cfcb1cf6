"""Generators of random numbers that all code of a process shares: what is logged draws nothing that training would."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from stepwell import beside


@contextmanager
def untouched() -> Iterator[None]:
    """Let the shared generators of Python, NumPy and PyTorch be after the block what they were before.

    What an estimator or a module is asked in it may draw numbers: predictions by chance, dropout, shuffling. Where
    other threads train, too, they are left as they are: those would get numbers again that they had.
    """
    kept = [(take, give, take()) for take, give in _generators()]
    try:
        yield
    finally:
        for take, give, before in kept if beside.trains_alone() else ():
            with suppress(Exception):  # it was replaced meanwhile, by one of another kind
                if not _is_same(take(), before):
                    give(before)


def _generators() -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """Yield how the state of each is taken, and given back. Only what is loaded can be drawn from."""
    yield random.getstate, random.setstate
    if (numpy := sys.modules.get("numpy.random")) is not None:
        yield numpy.get_state, numpy.set_state
    torch = sys.modules.get("torch.random")
    if torch is not None and hasattr(torch, "set_rng_state"):  # else it is being imported
        yield torch.get_rng_state, torch.set_rng_state
    cuda = sys.modules.get("torch.cuda")
    if cuda is not None and hasattr(cuda, "is_initialized") and cuda.is_initialized():
        yield cuda.get_rng_state_all, cuda.set_rng_state_all


def _is_same(one: Any, other: Any) -> bool:
    if hasattr(one, "shape"):
        return bool((one == other).all())
    if isinstance(one, (tuple, list)) and any(hasattr(it, "shape") for it in one):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)
