"""Runs of TensorBoard's event files, read without TensorFlow or TensorBoard: scalars and hyperparameters.

As in TensorBoard, each folder with event files is a run, folders behind symbolic links are found, and a restart (a
SessionLog START) purges what the run logged before from the restart's step on.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stepwell.errors import invalid
from stepwell.transfer.imported_runs import SOURCE_TAG
from stepwell.transfer.left import Left
from stepwell.transfer.sources import ImportedExperiment, ImportedModel, ImportedRegistered, ImportedRun
from stepwell.transfer.tensorboard_files.run import EventRun

EVENTS = "tfevents"


class TensorBoardFolder:
    """A log folder: each folder below it that holds event files is a run, named by its path.

    A run is where its files really are, not how the way there is called: its folder, with all links followed, and the
    name of its first file, in which there are time, machine and process.
    """

    def __init__(self, folder: Path, experiment: str) -> None:
        if not folder.is_dir():
            raise invalid(f"There is no folder {str(folder)!r}; name the log folder that TensorBoard shows.")
        self._folder = folder.resolve()
        self._experiment = experiment
        self.left = Left()
        self._runs = sorted(self._found(self._folder, "", set()), key=lambda found: found[1])
        if not self._runs:
            raise invalid(f"There are no event files (*{EVENTS}*) below {str(folder)!r}.")

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        yield ImportedExperiment(self._experiment)

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for folder, name, files in self._runs:
            run = EventRun(folder, name or ".", files, self.left)
            yield ImportedRun(
                source_id=f"tensorboard {self._experiment} {folder} {files[0]}",
                # Earlier versions went by the name alone, so that two of one name became one.
                known_as=(f"tensorboard {self._experiment} {name or '.'}",),
                experiment=self._experiment,
                name=name or self._folder.name,
                status=run.status,
                start_time_ms=run.start_time_ms,
                end_time_ms=run.end_time_ms,
                points=run.points,
                params=run.params,
                tags={SOURCE_TAG: f"tensorboard {folder}"},
            )

    def models(self) -> Iterator[ImportedModel]:
        """See `Source`: there are none."""
        return iter(())

    def registered(self) -> Iterator[ImportedRegistered]:
        """See `Source`: there are none."""
        return iter(())

    def not_taken(self) -> Iterator[str]:
        """See `Source`; each run tells its own."""
        return iter(())

    def _found(self, folder: Path, name: str, seen: set[Path]) -> Iterator[tuple[Path, str, list[str]]]:
        """Yield folders with event files: where they really are, how they are called, and the files' names.

        Each real folder comes once, so that links in a circle end; by its own name rather than by a link's.
        """
        real = folder.resolve()
        if real in seen:
            return
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as failure:
            self.left.add(f"{folder} cannot be read: {failure.strerror}")
            return
        files = sorted(entry.name for entry in entries if EVENTS in entry.name and self._is_file(entry))
        if files:
            yield real, name, files
        for entry in entries:
            if self._is_folder(entry):
                yield from self._found(Path(entry.path), f"{name}/{entry.name}" if name else entry.name, seen)

    def _is_file(self, entry: "os.DirEntry[str]") -> bool:
        if self._is_folder(entry):
            return False
        with suppress(OSError):
            if entry.is_file():
                return True
        self.left.add(f"{entry.path} is no file, or a link that leads nowhere")
        return False

    def _is_folder(self, entry: "os.DirEntry[str]") -> bool:
        with suppress(OSError):  # a link in a circle
            return entry.is_dir()
        return False
