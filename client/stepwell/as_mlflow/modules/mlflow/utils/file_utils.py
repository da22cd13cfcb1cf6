"""What scripts import as mlflow.utils.file_utils: a temporary folder."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

from stepwell.as_mlflow.standing_in import stand_in


class TempDir:
    """A folder that is there in a `with` block; `chdr`: and is the working one in it; else `path()` says where."""

    def __init__(self, chdr: bool = False, remove_on_exit: bool = True) -> None:
        self._chdr, self._removes = chdr, remove_on_exit
        self._before = "."
        self._folder = ""

    def __enter__(self) -> Self:
        self._folder = os.path.realpath(tempfile.mkdtemp())
        if self._chdr:
            self._before = str(Path.cwd())
            os.chdir(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        if self._chdr:
            os.chdir(self._before)
        if self._removes:
            shutil.rmtree(self._folder)

    def path(self, *path: str) -> str:
        """Return the place of a file in it."""
        return str(Path("." if self._chdr else self._folder, *path))


stand_in(globals())
