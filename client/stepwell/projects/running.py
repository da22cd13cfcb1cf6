"""Running a project: everything is checked and made before the run begins, so that no mistake leaves one RUNNING."""

import contextvars
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell import settings
from stepwell.client import StepwellClient
from stepwell.errors import invalid, not_supported, short
from stepwell.fluent import log_params
from stepwell.projects.child import Child
from stepwell.projects.environments import LOCAL, Plan, plan
from stepwell.projects.fetching import Fetching
from stepwell.projects.interrupts import HeldInterrupts
from stepwell.projects.project_file import MAIN, Project, read_project
from stepwell.projects.sources import Source, source_of
from stepwell.projects.submitted import OUTPUT_FILE, ExecutionException, SubmittedRun
from stepwell.runs.active import ActiveRun, active_run, start_run
from stepwell.runs.context import SOURCE_NAME_TAG, SOURCE_TYPE_TAG
from stepwell.spool import places

ENTRY_POINT_TAG = "mlflow.project.entryPoint"
BACKEND_TAG = "mlflow.project.backend"
ENVIRONMENT_TAG = "mlflow.project.env"


@short
def run(
    uri: str,
    entry_point: str = MAIN,
    version: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    docker_args: Mapping[str, Any] | None = None,
    experiment_name: str | None = None,
    experiment_id: str | None = None,
    backend: str = LOCAL,
    backend_config: Any = None,
    storage_dir: str | None = None,
    synchronous: bool = True,
    run_id: str | None = None,
    run_name: str | None = None,
    env_manager: str | None = None,
    build_image: bool = False,
    docker_auth: Mapping[str, str] | None = None,
    *,
    capture: bool = True,
) -> SubmittedRun:
    """Run an entry point of a project as a run, in a process of its own.

    Args:
        uri: a folder, or a git repository (https, ssh, git, file; git@host:path), with #subdirectory.
        entry_point: one of the project's file, or a script of the project, .py or .sh.
        version: commit, branch or tag of the repository.
        parameters: values by name; ones that the entry point does not declare become `--name value`.
        docker_args: not supported.
        experiment_name: where the run goes, made if missing; the default is that of start_run.
        experiment_id: the same by id.
        backend: "local".
        backend_config: a dict, or the path of a file of JSON: defaults for `env_manager` and `storage_dir`.
        storage_dir: folder for what is fetched: repositories, files; the temporary folder if not given.
        synchronous: wait for the end.
        run_id: a run to go on with, instead of a new one.
        run_name: name of the new run.
        env_manager: local, uv, virtualenv or conda (docs/projects.md).
        build_image: not supported.
        docker_auth: not supported.
        capture: show what the command prints and keep it as output.log; else it has the terminal to itself.

    Returns:
        The run; it has ended if `synchronous`.

    Raises:
        ExecutionException: the command failed, and `synchronous`.
        StepwellException: INVALID_PARAMETER_VALUE and others, before anything runs.
    """
    if docker_args or build_image or docker_auth:
        raise not_supported("Running projects in Docker")
    with ExitStack() as resources:
        wanted = Wanted(
            str(uri), entry_point, version, parameters, backend, backend_config, storage_dir, env_manager
        )
        prepared = prepare(wanted, resources)
        if experiment_name is not None:
            if experiment_id is not None:
                raise invalid("Give experiment_name or experiment_id, not both.")
            experiment_id = _experiment(experiment_name)
        with HeldInterrupts() as held:
            submitted = prepared.start(
                resources.pop_all(), held, experiment_id, run_id, run_name, capture=capture
            )
            _follow(submitted, held, synchronous=synchronous)
    return submitted


def _follow(submitted: SubmittedRun, held: HeldInterrupts, *, synchronous: bool) -> None:
    try:
        held.release()
        went_well = not synchronous or submitted.wait()
    except BaseException:  # Ctrl-C: the command does not outlive who waits for it
        submitted.cancel()
        raise
    if not went_well:
        raise ExecutionException(
            f"Run (ID '{submitted.run_id}') failed: its command ended with {submitted.exit_code}.",
            "INVALID_STATE",
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command that can be run: all that the caller gave has been checked."""

    fetched: "Fetched"
    params: Mapping[str, str]  # what goes on record
    command: str
    folder: Path  # of this run alone

    def start(
        self,
        resources: ExitStack,
        held: HeldInterrupts,
        experiment_id: str | None = None,
        run_id: str | None = None,
        run_name: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        capture: bool = True,
    ) -> SubmittedRun:
        """Make the environment, begin the run, and start the command.

        Args:
            resources: given back when the command has ended, or could not be started.
            held: holds Ctrl-C from the start of the command on, until the caller releases it.
            experiment_id: where a new run goes.
            run_id: a run to go on with.
            run_name: name of a new one.
            tags: more tags.
            capture: as for `run`.
        """
        with resources:
            environment = self.fetched.plan.environment()
            # The run is active in a context of its own: the caller goes on in the one that it has.
            # A run to go on with may be the caller's active one, which is no parent of itself.
            context = contextvars.copy_context() if run_id is None else contextvars.Context()
            run = context.run(self._begin, experiment_id, run_id, run_name, tags or {})
            try:
                output = self.folder / OUTPUT_FILE if capture else None
                variables = {**os.environ, **environment.variables, **_variables(run)}
                held.hold()  # or the command would go on, and nobody could stop it
                child = Child(self.command, self.fetched.project.folder, variables, output)
            except BaseException:
                context.run(run.__exit__, Exception, Exception(), None)
                raise
            return SubmittedRun(run, context, child, output, resources.pop_all())

    def _begin(
        self, experiment_id: str | None, run_id: str | None, run_name: str | None, tags: Mapping[str, str]
    ) -> ActiveRun:
        # Inside of another project's command, that one's run is the parent.
        around = settings.run_id() if active_run() is None and run_id is None else None
        run = start_run(
            run_id,
            experiment_id,
            run_name,
            nested=True,
            parent_run_id=around,
            tags={**self.fetched.tags, **tags},
        )
        log_params(dict(self.params))
        return run


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants to run; see `run`."""

    uri: str
    entry_point: str
    version: str | None = None
    parameters: Mapping[str, Any] | None = None
    backend: str = LOCAL
    backend_config: Any = None
    storage_dir: str | None = None
    env_manager: str | None = None


def prepare(wanted: Wanted, resources: ExitStack) -> Prepared:
    """Fetch a project and check all that a run of it needs.

    Args:
        wanted: what to run.
        resources: gets what has to be given back.

    Raises:
        StepwellException: as `run`.
    """
    config = _config(wanted.backend_config)
    storage = _storage(wanted.storage_dir or config.get("storage_dir"))
    if wanted.backend != LOCAL:
        raise invalid(f"The backend is 'local', not {wanted.backend!r}: others are not there.")
    source = resources.enter_context(source_of(wanted.uri, wanted.version, storage))
    project = read_project(source.folder)
    project.entry_point(wanted.entry_point)
    planned = plan(project, wanted.env_manager or config.get("env_manager"))
    return prepare_again(
        Fetched(wanted.entry_point, source, project, planned, storage), wanted.parameters or {}, resources
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """A project that is here, and the entry point that is wanted of it."""

    entry_point: str
    source: Source
    project: Project
    plan: Plan
    storage: Path | None

    @property
    def tags(self) -> dict[str, str]:
        """What a run of it says of where it comes from."""
        return {
            SOURCE_NAME_TAG: self.source.name,
            SOURCE_TYPE_TAG: "PROJECT",
            ENTRY_POINT_TAG: self.entry_point,
            BACKEND_TAG: LOCAL,
            **self.source.tags,
            **({} if self.plan.manager == LOCAL else {ENVIRONMENT_TAG: self.plan.manager}),
        }


def prepare_again(fetched: Fetched, parameters: Mapping[str, Any], resources: ExitStack) -> Prepared:
    """Check parameters for a project that is here.

    Args:
        fetched: the project.
        parameters: values by name.
        resources: gets what has to be given back.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    folder = Path(
        resources.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-run-", dir=fetched.storage))
    )
    given = {str(name): str(value) for name, value in parameters.items()}
    point = fetched.project.entry_point(fetched.entry_point)
    fetching = Fetching(folder)
    values = point.values(given, fetching, Path.cwd(), fetched.project.folder)
    params = {name: fetching.origin(value) for name, value in values.items()}
    return Prepared(fetched, params, point.command_line(values), folder)


def _storage(given: str | None) -> Path | None:
    if given is None:
        return None
    storage = settings.local_folder(given, "storage_dir").absolute()
    try:
        storage.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise invalid(f"The storage_dir {storage} cannot be a folder: {error.strerror}.") from error
    return storage


def _config(given: Any) -> Mapping[str, str]:
    """Return the configuration of a backend: a dict, a file of JSON, or JSON itself."""
    if given is None:
        return {}
    try:
        text = given if isinstance(given, str) else ""
        found = (
            given
            if not text
            else json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
        )
    except (OSError, ValueError) as error:
        raise invalid(f"The backend's configuration {given!r} cannot be read as JSON: {error}") from error
    if not isinstance(found, Mapping):
        raise invalid(f"The backend's configuration is to be a map, not {type(found).__name__}.")
    return found


def _experiment(name: str) -> str:
    client = StepwellClient()
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found is not None else client.create_experiment(name)


def _variables(run: ActiveRun) -> dict[str, str]:
    """Return what tells the command which run it is, by our names and by MLflow's."""
    told = {"RUN_ID": run.info.run_id, "TRACKING_URI": settings.tracking_uri(), "EXPERIMENT_NAME": ""}
    if run.info.experiment_id:
        told["EXPERIMENT_ID"] = run.info.experiment_id
    named = {f"{prefix}_{name}": value for name, value in told.items() for prefix in ("STEPWELL", "MLFLOW")}
    # What it logs while the server is away waits where this process's own does, and what it prints is shown at once.
    return {**named, "STEPWELL_SPOOL_DIR": str(places.to_write()), "PYTHONUNBUFFERED": "1"}
