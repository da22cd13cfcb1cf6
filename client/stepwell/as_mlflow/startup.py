"""A .pth file beside the other packages: Python reads it when it starts, and puts our modules on its path if told."""

import sysconfig
from pathlib import Path

from stepwell import settings
from stepwell.as_mlflow import MODULES

VARIABLE = "STEPWELL_AS_MLFLOW"
NAME = "stepwell_as_mlflow.pth"
# At the end of the path: the real mlflow goes first. Nothing of Stepwell is imported before somebody imports mlflow;
# but some callbacks read the variable of its address when they are imported.
_LINE = (
    "import os, sys; os.environ.get({variable!r}, '').lower() not in {off!r} and os.path.isdir({modules!r}) "
    "and {modules!r} not in sys.path and (sys.path.append({modules!r}), os.environ.setdefault('MLFLOW_TRACKING_URI', "
    "os.environ.get('STEPWELL_TRACKING_URI') or {uri!r}))\n"
)


def install() -> Path:
    """Write the file, and return where it is. Raises OSError when the folder of packages cannot be written."""
    file = _file()
    line = _LINE.format(
        variable=VARIABLE,
        off=("", *settings.FALSE_WORDS),
        modules=str(MODULES),
        uri=settings.DEFAULT_TRACKING_URI,
    )
    file.write_text(line, "utf-8")
    return file


def remove() -> Path | None:
    """Remove the file, and return where it was; None if there was none."""
    file = _file()
    if not file.exists():
        return None
    file.unlink()
    return file


def _file() -> Path:
    return Path(sysconfig.get_path("purelib")) / NAME
