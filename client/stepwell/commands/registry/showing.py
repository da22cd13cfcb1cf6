"""Commands that show registered models, their versions and what changed."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from stepwell import registering
from stepwell.client import StepwellClient
from stepwell.commands import output
from stepwell.commands.output import as_json, reporting
from stepwell.commands.registry import options
from stepwell.entities.model_registry import RegisteredModel, RegistryChange

HISTORY_DEFAULT = 100


@click.command("list")
@options.filter_string
@options.order_by
@options.limit
@as_json
@reporting
def list_(filter_string: str, order_by: Sequence[str], limit: int | None, as_json: bool) -> None:
    """List registered models, by name, with the latest version of each stage."""
    found = registering.search_registered_models(limit, filter_string, list(order_by))
    if as_json:
        output.print_json([plain(model) for model in found])
        return
    columns = ("name", "versions", "aliases", "last_updated_timestamp", "description")
    output.print_rows(columns, [_summary(model) for model in found], json_too=False)


@click.command()
@options.name
@as_json
@reporting
def show(name: str, as_json: bool) -> None:
    """Show one registered model."""
    model = StepwellClient().get_registered_model(name)
    if as_json:
        output.print_json(plain(model))
        return
    rows = [
        ("name", model.name),
        ("description", model.description),
        ("creation_timestamp", output.time_of(model.creation_timestamp)),
        ("last_updated_timestamp", output.time_of(model.last_updated_timestamp)),
        *((f"stage {it.current_stage}", f"version {it.version}") for it in model.latest_versions),
        *((f"alias {alias}", f"version {version}") for alias, version in model.aliases.items()),
        *((f"tags.{key}", value) for key, value in model.tags.items()),
    ]
    if model.custom_stages:
        rows.append(("custom_stages", ", ".join(model.custom_stages)))
    output.print_rows(("field", "value"), rows, json_too=False)


@click.command()
@click.argument("name", required=False)
@options.filter_string
@options.order_by
@options.limit
@as_json
@reporting
def versions(
    name: str | None, filter_string: str, order_by: Sequence[str], limit: int | None, as_json: bool
) -> None:
    """List versions, of one registered model or of all: those that changed last first."""
    if name is not None:
        StepwellClient().get_registered_model(name)  # which says so if there is none
        quoted = name.replace("'", "''")
        filter_string = f"name = '{quoted}'" + (f" AND ({filter_string})" if filter_string else "")
    found = registering.search_model_versions(limit, filter_string, list(order_by))
    if as_json:
        output.print_json([plain(version) for version in found])
        return
    rows = [
        (
            version.name,
            version.version,
            version.current_stage,
            ", ".join(version.aliases),
            version.run_id,
            version.source,
            output.time_of(version.creation_timestamp),
        )
        for version in found
    ]
    columns = ("name", "version", "stage", "aliases", "run_id", "source", "creation_timestamp")
    output.print_rows(columns, rows, json_too=False)


@click.command()
@click.argument("name", required=False)
@click.option("--version", type=click.IntRange(1), help="Only what changed of this version.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=HISTORY_DEFAULT,
    show_default=True,
    help="At most so many.",
)
@as_json
@reporting
def history(name: str | None, version: int | None, limit: int, as_json: bool) -> None:
    """Show who changed what, when and why, the latest first: of one registered model (also a deleted one) or of all."""
    found = StepwellClient().registry_changes(name, version, limit)
    if as_json:
        output.print_json([plain(change) for change in found])
        return
    columns = ("when", "who", "model", "version", "what", "why")
    output.print_rows(columns, map(change_row, found), json_too=False)


def change_row(change: RegistryChange) -> Sequence[Any]:
    """Return a change as people read it: when, who, model, version, what and why."""
    return (
        output.time_of(change.timestamp),
        change.user,
        change.name,
        change.version,
        _WORDS[change.kind](change),
        change.comment,
    )


def plain(entity: Any) -> Any:
    """Return a registered model, a version or a change as JSON has it."""
    if isinstance(entity, RegisteredModel):
        latest = [plain(version) for version in entity.latest_versions]
        return {**entity.to_dictionary(), "latest_versions": latest}
    return entity.to_dictionary()


def _summary(model: RegisteredModel) -> Sequence[Any]:
    return (
        model.name,
        ", ".join(f"{it.current_stage} {it.version}" for it in model.latest_versions),
        ", ".join(f"{alias} {version}" for alias, version in model.aliases.items()),
        output.time_of(model.last_updated_timestamp),
        model.description,
    )


_WORDS: dict[str, Callable[[RegistryChange], str]] = {
    "model_created": lambda it: "model created",
    "model_renamed": lambda it: f"renamed from {it.before} to {it.after}",
    "model_deleted": lambda it: "model deleted",
    "version_created": lambda it: f"created from {it.after}",
    "version_deleted": lambda it: f"deleted, was in {it.before}",
    "stage_changed": lambda it: f"{it.before} -> {it.after}",
    "alias_set": lambda it: f"alias {it.key}" + (f", was version {it.before}" if it.before else ""),
    "alias_removed": lambda it: f"alias {it.key} removed",
    "tag_set": lambda it: f"tag {it.key} = {it.after}",
    "tag_removed": lambda it: f"tag {it.key} removed",
}
