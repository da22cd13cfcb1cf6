"""Commands that change registered models and their versions."""

from collections.abc import Sequence

import click

from stepwell import registering
from stepwell.client import StepwellClient
from stepwell.commands import output
from stepwell.commands.output import as_json, reporting
from stepwell.commands.registry import options
from stepwell.commands.registry.showing import plain
from stepwell.entities.model_registry import ModelVersion


@click.command()
@click.argument("model_uri")
@options.name
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the version; may be repeated."
)
@as_json
@reporting
def register(model_uri: str, name: str, tags: Sequence[str], as_json: bool) -> None:
    """Make a version of NAME of a model that was logged, such as runs:/<run id>/model."""
    version = registering.register_model(model_uri, name, tags=dict(map(_pair, tags)))
    _done(as_json, version, f"Registered version {version.version} of {version.name}")


@click.command()
@options.name
@options.version
@click.argument("stage")
@click.option("--archive-existing", is_flag=True, help="Others of the stage go to Archived, at once.")
@click.option(
    "--expect", type=click.IntRange(0), help="Only if this version is in the stage now; 0 for none."
)
@options.comment
@as_json
@reporting
def stage(
    name: str,
    version: int,
    stage: str,
    archive_existing: bool,
    expect: int | None,
    comment: str | None,
    as_json: bool,
) -> None:
    """Move a version to a STAGE: None, Staging, Production, Archived, or one of the model's own."""
    moved = StepwellClient().transition_model_version_stage(
        name, version, stage, archive_existing, expect_version_in_stage=expect, comment=comment
    )
    _done(as_json, moved, f"Version {version} of {name} is in {moved.current_stage}")


@click.command()
@options.name
@click.argument("alias")
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--delete", is_flag=True, help="Remove the alias.")
@click.option("--expect", type=click.IntRange(0), help="Only if it stands for this version now; 0 for none.")
@options.comment
@as_json
@reporting
def alias(
    name: str,
    alias: str,
    version: int | None,
    delete: bool,
    expect: int | None,
    comment: str | None,
    as_json: bool,
) -> None:
    """Let ALIAS stand for VERSION, or remove it; without both, show what it stands for."""
    client = StepwellClient()
    if delete:
        if version is not None or expect is not None:
            raise click.UsageError(
                "--delete removes the alias, whatever it stands for: no version goes with it."
            )
        client.delete_registered_model_alias(name, alias, comment=comment)
        if as_json:
            output.print_json({"name": name, "alias": alias})
        else:
            click.echo(f"The alias {alias} of {name} is gone")
        return
    if version is not None:
        client.set_registered_model_alias(name, alias, version, expect_version=expect, comment=comment)
    found = client.get_model_version_by_alias(name, alias)
    _done(as_json, found, f"{alias} of {name} is version {found.version}")


@click.command()
@options.name
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--description", help="A new description.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag to set; may be repeated.")
@click.option("--remove-tag", multiple=True, metavar="KEY", help="A tag to remove; may be repeated.")
@as_json
@reporting
def describe(
    name: str,
    version: int | None,
    description: str | None,
    tags: Sequence[str],
    remove_tag: Sequence[str],
    as_json: bool,
) -> None:
    """Change description and tags of a registered model, or of one of its versions."""
    if description is None and not tags and not remove_tag:
        raise click.UsageError("Give --description, --tag or --remove-tag.")
    client = StepwellClient()
    for key, value in map(_pair, tags):
        if version is None:
            client.set_registered_model_tag(name, key, value)
        else:
            client.set_model_version_tag(name, version, key, value)
    for key in remove_tag:
        if version is None:
            client.delete_registered_model_tag(name, key)
        else:
            client.delete_model_version_tag(name, version, key)
    if version is None:
        changed = client.update_registered_model(name, description)
        if as_json:
            output.print_json(plain(changed))
        else:
            click.echo(f"{name} is changed")
    else:
        _done(
            as_json,
            client.update_model_version(name, version, description),
            f"Version {version} of {name} is changed",
        )


@click.command()
@options.name
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@as_json
@reporting
def delete(name: str, version: int | None, yes: bool, as_json: bool) -> None:
    """Delete a version, or a registered model with all of its versions; the files stay with their runs."""
    client = StepwellClient()
    what = f"version {version} of {name}" if version else f"{name} with all of its versions"
    if not yes:
        output.confirm(f"Delete {what}, for good?")
    if version is None:
        client.delete_registered_model(name)
    else:
        client.delete_model_version(name, version)
    if as_json:
        output.print_json({"name": name, "version": version})
    else:
        click.echo(f"Deleted {what}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{text!r} is no tag; write KEY=VALUE.")
    return key, value


def _done(json_too: bool, version: ModelVersion, text: str) -> None:
    if json_too:
        output.print_json(plain(version))
    else:
        click.echo(text)
