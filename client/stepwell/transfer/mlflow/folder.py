"""Runs of MLflow's folder `mlruns`, read without MLflow.

<experiment>/meta.yaml, tags/<key>, datasets/<id>/meta.yaml
<experiment>/<run>/meta.yaml, params/<key>, tags/<key>, metrics/<key>, artifacts/, inputs/<id>/meta.yaml
<experiment>/models/<id>/…: see models/folder.py
models/<name>/meta.yaml, version-<n>/meta.yaml, aliases/<alias>
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.entities import Dataset, DatasetInput, InputTag
from stepwell.transfer.artifact_sources import (
    ServedArtifacts,
    folder_artifacts,
    local_place,
    mlflow_uri_artifacts,
)
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.metric_files import points_of
from stepwell.transfer.mlflow.sqlite import traces
from stepwell.transfer.mlflow.values import status_of, time_of
from stepwell.transfer.models.folder import model_of
from stepwell.transfer.models.registered_rows import registered_of
from stepwell.transfer.reach import Reach, is_folder
from stepwell.transfer.sources import (
    ArtifactFiles,
    ImportedExperiment,
    ImportedModel,
    ImportedRegistered,
    ImportedRun,
    PointColumns,
    SourceError,
    as_run_id,
)

# Files that macOS leaves in every folder that somebody looked at; what else is called ._x is text.
_FOREIGN = re.compile(r"\.DS_Store|\._.*")
# What every run has below it; how a folder without a description is told to be one.
_PARTS_OF_RUN = ("metrics", "params")
_NOT_RUNS = ("models", "datasets", "tags", "traces")


class MlflowFolder:
    """The folder `mlruns`."""

    def __init__(self, folder: Path, artifacts: Path | ServedArtifacts | None, reach: Reach) -> None:
        self._folder = folder.resolve()
        self._artifacts = artifacts
        self._reach = reach
        self.left = Left()

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        for folder, meta in self._experiments(self.left.add):
            yield ImportedExperiment(_name(folder, meta), self._texts(folder / "tags", self.left.add))

    def _experiments(self, tell: Callable[[str], None]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        for folder in self._folders(self._folder, tell):
            if folder.name in (".trash", "models"):
                continue
            if not self._is_experiment(folder, tell):
                continue
            meta = self._meta(folder, tell)
            if "name" not in meta:
                tell(f"{folder} has no name in its meta.yaml; as an experiment it is called {folder.name!r}")
            if meta.get("lifecycle_stage", "active") == "active":
                yield folder, meta

    def _is_experiment(self, folder: Path, tell: Callable[[str], None]) -> bool:
        if os.path.lexists(folder / "meta.yaml"):
            return True
        below = list(self._folders(folder, lambda _: None))
        if any(map(_looks_like_a_run, below)):
            return True
        if any(is_folder(one / "artifacts") for one in below):
            # A database keeps the runs, and only these here.
            tell(
                f"{folder} has artifacts of runs, and nothing else of them; import the database or server of these runs"
            )
        return False

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for experiment, meta in self._experiments(lambda _: None):  # which was told before
            for folder in self._folders(experiment, self.left.add):
                if folder.name in _NOT_RUNS and not _looks_like_a_run(folder):
                    continue
                if _looks_like_a_run(folder) or os.path.lexists(folder / "meta.yaml"):
                    found = self._run(folder, experiment, _name(experiment, meta))
                    if found is not None:
                        yield found
                elif as_run_id(folder.name):
                    self.left.add(f"run {folder.name}: nothing of it is in {folder} but, perhaps, artifacts")

    def _run(self, folder: Path, experiment: Path, name: str) -> ImportedRun | None:
        def tell(problem: str) -> None:
            self.left.add(f"run {folder.name}: {problem}")

        meta = self._meta(folder, tell)
        if meta.get("lifecycle_stage", "active") != "active":
            return None
        # The older one is all that MLflow before 1.0 wrote.
        run_id = _text(meta, "run_id") or _text(meta, "run_uuid") or folder.name
        own = as_run_id(run_id) if run_id == folder.name else None
        if run_id != folder.name:
            tell(f"its meta.yaml is that of run {run_id}; it is taken for another one, perhaps a copy")
        tags = self._texts(folder / "tags", tell)
        end_time_ms = time_of("end_time", meta.get("end_time"), tell)
        if meta and "start_time" not in meta:
            tell("its meta.yaml has no start_time; perhaps it was cut")
        return ImportedRun(
            source_id=own or f"mlflow {folder.resolve()}",
            known_as=() if own else (run_id,),
            experiment=name,
            name=_text(meta, "run_name") or tags.get("mlflow.runName", "") or _text(meta, "name"),
            status=status_of(meta.get("status"), end_time_ms, tell),
            start_time_ms=time_of("start_time", meta.get("start_time"), tell) or 0,
            end_time_ms=end_time_ms,
            points=partial(self._points, folder / "metrics", tell),
            user=_text(meta, "user_id"),
            params=self._texts(folder / "params", tell),
            tags=tags,
            inputs=list(self._inputs(folder, experiment, tell)),
            artifacts=self._artifacts_of(folder, _text(meta, "artifact_uri"), f"run {folder.name}"),
        )

    def _artifacts_of(self, folder: Path, uri: str, whose: str) -> ArtifactFiles:
        """Artifacts beside the run or model, also when the folder was moved; else where it says."""
        beside = folder / "artifacts"
        place = local_place(uri, self._folder.parent, None) if uri else beside
        # MLflow makes the folder even when the artifacts go elsewhere. Where nothing is at a place that is called like
        # this one, all of it was moved here.
        moved = place is not None and not is_folder(place) and place.parts[-3:] == beside.parts[-3:]
        if not uri or moved or self._has_files(beside):
            return folder_artifacts(beside, self._reach, self.left, whose)
        return mlflow_uri_artifacts(uri, self._folder.parent, self._artifacts, self._reach, self.left, whose)

    def _has_files(self, folder: Path) -> bool:
        try:
            return bool(self._reach.entries(folder))
        except SourceError:  # which is told when they are wanted
            return True

    def _inputs(self, run: Path, experiment: Path, tell: Callable[[str], None]) -> Iterator[DatasetInput]:
        for folder in self._folders(run / "inputs", tell):
            tie = self._meta(folder, tell)
            place = experiment / "datasets" / Path(_text(tie, "source_id") or "?").name
            if not os.path.lexists(place / "meta.yaml"):
                tell(f"its input {folder.name} is no data set of its experiment")
                continue
            meta = self._meta(place, tell)
            fields = (_text(meta, name) for name in ("name", "digest", "source_type", "source"))
            large = (_text(meta, name) or None for name in ("schema", "profile"))
            tags = tie.get("tags")
            labels = [InputTag(str(key), _text(tags, key)) for key in tags] if isinstance(tags, dict) else []
            yield DatasetInput(Dataset(*fields, *large), labels)

    def _points(self, folder: Path, tell: Callable[[str], None]) -> Iterator[PointColumns]:
        for key, path in self._files(folder, tell):
            try:
                yield from points_of(key, self._reach.open(path), tell)
            except SourceError as failure:
                tell(str(failure))

    def _texts(self, folder: Path, tell: Callable[[str], None]) -> dict[str, str]:
        """Params or tags: the content of each file by its path; what cannot be read is told."""
        texts = {}
        for key, path in self._files(folder, tell):
            try:
                texts[key] = self._reach.read_text(path)
            except SourceError as failure:
                tell(str(failure))
        return texts

    def _files(
        self, folder: Path, tell: Callable[[str], None], prefix: str = ""
    ) -> Iterator[tuple[str, Path]]:
        """Yield files below a folder by their paths; what is a folder only by a link is none of MLflow's."""
        try:
            entries = self._reach.entries(folder)
        except SourceError as failure:
            tell(str(failure))
            return
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(path, tell, f"{prefix}{entry.name}/")
            elif not self._is_foreign(path):
                yield prefix + entry.name, path

    def _is_foreign(self, path: Path) -> bool:
        try:
            return _FOREIGN.fullmatch(path.name) is not None and b"\0" in self._reach.read(path)
        except SourceError:
            return False

    def _folders(self, folder: Path, tell: Callable[[str], None]) -> Iterator[Path]:
        try:
            entries = self._reach.entries(folder)
        except SourceError as failure:
            tell(str(failure))
            return
        for path in (Path(entry.path) for entry in entries):
            try:
                # A link is asked where it leads, also when that is nowhere.
                if (path.is_symlink() or is_folder(path)) and is_folder(self._reach.check(path)):
                    yield path
            except SourceError as failure:
                tell(str(failure))

    def _meta(self, folder: Path, tell: Callable[[str], None]) -> Mapping[str, Any]:
        """Return what a meta.yaml says; nothing, which is told, when it cannot be read."""
        yaml = extras.load("yaml", "Importing an mlruns folder", "export")
        path = folder / "meta.yaml"
        try:
            found = yaml.load(
                self._reach.read_text(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            )
        except SourceError as failure:
            tell(str(failure))
        except (yaml.YAMLError, ValueError, RecursionError) as failure:
            tell(f"{path} is no YAML: {' '.join(str(failure).split())}")
        else:
            if isinstance(found, dict) and found:
                return found
            tell(f"{path} is empty" if not found else f"{path} holds no names with values")
        return {}

    def models(self) -> Iterator[ImportedModel]:
        """See `Source`."""
        for experiment, meta in self._experiments(lambda _: None):
            for folder in self._folders(experiment / "models", self.left.add):
                whose = f"logged model {folder.name}"

                def tell(problem: str, whose: str = whose) -> None:
                    self.left.add(f"{whose}: {problem}")

                found = self._meta(folder, tell)
                if found and found.get("lifecycle_stage", "active") == "active":
                    yield model_of(
                        folder,
                        _name(experiment, meta),
                        found,
                        texts=self._texts,
                        meta_of=self._meta,
                        artifacts=self._artifacts_of(folder, _text(found, "artifact_location"), whose),
                        tell=tell,
                    )

    def registered(self) -> Iterator[ImportedRegistered]:
        """See `Source`."""
        for folder in self._folders(self._folder / "models", self.left.add):
            below = [it for it in self._folders(folder, self.left.add) if it.name.startswith("version-")]
            tables: dict[str, list[dict[str, Any]]] = {
                "registered_models": [{**self._meta(folder, self.left.add), "name": folder.name}],
                "registered_model_tags": _pairs(folder.name, self._texts(folder / "tags", self.left.add)),
                "registered_model_aliases": [
                    {"name": folder.name, "alias": alias, "version": version.strip()}
                    for alias, version in self._texts(folder / "aliases", self.left.add).items()
                ],
                "model_versions": [],
                "model_version_tags": [],
            }
            for version in below:
                number = version.name.removeprefix("version-")
                meta = {**self._meta(version, self.left.add), "name": folder.name, "version": number}
                tables["model_versions"].append(meta)
                tags = _pairs(folder.name, self._texts(version / "tags", self.left.add))
                tables["model_version_tags"] += [{**tag, "version": number} for tag in tags]
            yield from registered_of(tables, self.left.add)

    def not_taken(self) -> Iterator[str]:
        """See `Source`: traces, which Stepwell does not keep yet."""
        for experiment, _ in self._experiments(lambda _: None):
            yield from traces(len(list(self._folders(experiment / "traces", self.left.add))))


def _pairs(name: str, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "key": key, "value": value} for key, value in texts.items()]


def _name(folder: Path, meta: Mapping[str, Any]) -> str:
    return _text(meta, "name") or folder.name


def _text(meta: Mapping[Any, Any], name: Any) -> str:
    """Return a value as text: not a list or a mapping, whose text may be endless where YAML refers to itself."""
    value = meta.get(name)
    return "" if value is None or isinstance(value, dict | list | tuple | set) else str(value)


def _looks_like_a_run(folder: Path) -> bool:
    return any(is_folder(folder / part) for part in _PARTS_OF_RUN)
