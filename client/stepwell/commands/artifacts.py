"""The command `stepwell artifacts`: list, download, log and rm; verify and move are in `contents`."""

from collections.abc import Iterator
from pathlib import Path

import click

from stepwell import StepwellClient, StepwellException
from stepwell import artifacts as artifact_calls
from stepwell.commands import contents, finding
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, confirm, harmless, print_json
from stepwell.entities import FileInfo
from stepwell.files import paths

_path = click.option(
    "--artifact-path",
    "-a",
    default="",
    metavar="PATH",
    help="A file or folder of the run; all of it if not given.",
)


@click.group(cls=Commands)
def artifacts() -> None:
    """List, fetch, log, move, check and remove files of runs."""


artifacts.add_command(contents.verify)
artifacts.add_command(contents.move)


@artifacts.command("list")
@finding.run_id
@_path
@click.option("--recursive", "-R", is_flag=True, help="Also what is in its folders.")
@as_json
def list_(run_id: str, artifact_path: str, recursive: bool, as_json: bool) -> None:
    """List a folder: size in bytes and path; folders end with a slash."""
    client, folder = StepwellClient(), paths.check_folder(artifact_path)
    found = list(_found(client, run_id, folder, recursive))
    if not found and folder:
        found = _file(client, run_id, folder)
    if as_json:
        print_json([info.to_dictionary() for info in found])
        return
    for info in found:
        click.echo(_line(info))


@artifacts.command()
@finding.optional_run_id
@_path
@click.option("--artifact-uri", "-u", metavar="URI", help="runs:/ID/PATH, instead of a run and a path.")
@click.option(
    "--dst-path",
    "-d",
    type=click.Path(file_okay=False),
    default=".",
    show_default=True,
    help="Local folder, made if missing.",
)
@as_json
def download(
    run_id: str | None,
    artifact_path: str,
    artifact_uri: str | None,
    dst_path: str,
    as_json: bool,
) -> None:
    """Fetch a file or a folder and print where it is."""
    if (run_id is None) == (artifact_uri is None):
        raise click.UsageError("Give either the id of a run or --artifact-uri.")
    path = artifact_calls.download_artifacts(
        artifact_uri, run_id, artifact_path or None if run_id else None, dst_path
    )
    if as_json:
        print_json({"path": path})
    else:
        click.echo(path)


@artifacts.command()
@click.option("--run-id", "-r", required=True, metavar="RUN_ID", help="The run's id.")
@click.option("--artifact-path", "-a", metavar="PATH", help="Folder of the run; its root if not given.")
@click.argument(
    "local_paths", metavar="PATHS...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@as_json
def log(
    run_id: str,
    artifact_path: str | None,
    local_paths: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Log files and folders under their names."""
    client = StepwellClient()
    run_id = finding.whole_run_id(run_id, client)
    for path in local_paths:
        client.log_artifact(run_id, path, artifact_path)
    if as_json:
        print_json({"run_id": run_id, "logged": len(local_paths)})


@artifacts.command()
@finding.run_id
@click.option("--artifact-path", "-a", metavar="PATH", help="A file, or a folder with all that is in it.")
@click.option("--all", "everything", is_flag=True, help="Everything that the run has, instead of a path.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@as_json
def rm(
    run_id: str,
    artifact_path: str | None,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove a file or a folder, for good."""
    if (artifact_path is None) != everything:
        raise click.UsageError("Give either --artifact-path or --all.")
    client = StepwellClient()
    what = "all artifacts" if everything else repr(artifact_path)
    if not yes:
        confirm(f"Remove {what} of run {run_id} for good?")
    count = client.delete_artifacts(run_id, artifact_path)
    if as_json:
        print_json({"run_id": run_id, "removed": count})
    else:
        click.echo(f"{count} file{'' if count == 1 else 's'} removed.")
    if count == 0 and not everything:
        raise StepwellException(f"Run {run_id} has no artifact {artifact_path!r}.", "RESOURCE_DOES_NOT_EXIST")


def _found(client: StepwellClient, run_id: str, folder: str, recursive: bool) -> Iterator[FileInfo]:
    for info in client.list_artifacts(run_id, folder):
        yield info
        if recursive and info.is_dir:
            yield from _found(client, run_id, info.path, recursive)


def _file(client: StepwellClient, run_id: str, path: str) -> list[FileInfo]:
    """Return the one file at a path; StepwellException when there is none."""
    folder = path.rpartition("/")[0]
    for info in client.list_artifacts(run_id, folder):
        if info.path == path:
            return [info]
    raise StepwellException(f"Run {run_id} has no artifact {path!r}.", "RESOURCE_DOES_NOT_EXIST")


def _line(info: FileInfo) -> str:
    size = "" if info.file_size is None else f"{info.file_size:,}"
    return f"{size:>16}  {harmless(info.path)}{'/' if info.is_dir else ''}"
