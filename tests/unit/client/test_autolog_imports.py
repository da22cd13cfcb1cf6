"""What is to be done when a library is imported: once, right after, not by who only looks whether it is there."""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.autologging import imports

done: list[str] = []


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"imported_later_{id(tmp_path)}"
    (tmp_path / f"{name}.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    done.clear()
    yield name
    imports.forget("me")
    imports.forget("somebody")
    sys.modules.pop(name, None)
    assert imports._finder not in sys.meta_path


def test_it_is_done_when_the_module_is_there(library: str) -> None:
    imports.when_imported(library, "me", lambda: done.append(str(sys.modules[library].value)))
    assert importlib.util.find_spec(library) is not None
    assert done == []
    found = importlib.import_module(library)
    assert done == ["3"]
    assert type(found.__loader__).__module__ != imports.__name__
    assert found.__spec__.loader is found.__loader__
    imports.when_imported(library, "me", lambda: done.append("at once"))
    assert done == ["3", "at once"]


def test_what_is_done_may_wait_for_the_same_module(library: str) -> None:
    # As stepwell.autolog() turns on what waits by itself.
    imports.when_imported(
        library, "me", lambda: imports.when_imported(library, "somebody", lambda: done.append("both"))
    )
    importlib.import_module(library)
    assert done == ["both"]


def test_what_is_forgotten_is_not_done(library: str) -> None:
    imports.when_imported(library, "me", lambda: done.append("mine"))
    imports.when_imported(library, "somebody", lambda: done.append("somebody's"))
    imports.forget("me")
    importlib.import_module(library)
    assert done == ["somebody's"]


def test_a_fault_stops_no_import(library: str, caplog: pytest.LogCaptureFixture) -> None:
    imports.when_imported(library, "me", lambda: 1 / 0)
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        assert importlib.import_module(library).value == 3
    assert "Autologging of me could not be turned on: ZeroDivisionError" in caplog.text
