"""Expectations about calls of the client that fail."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stepwell import StepwellException


@contextmanager
def refused(error_code: str, text: str = "") -> Iterator[None]:
    """Expect a StepwellException with this error code and a message in which the pattern `text` is found."""
    with pytest.raises(StepwellException) as caught:
        yield
    assert caught.value.error_code == error_code
    assert re.search(text, str(caught.value))
