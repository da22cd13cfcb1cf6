"""`stepwell models webhooks`: whom the server tells what changes."""

import os
from collections.abc import Sequence

import click

from stepwell.client import StepwellClient
from stepwell.commands import output
from stepwell.commands.access.server import asked_password
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, reporting
from stepwell.commands.registry.watching import KINDS
from stepwell.entities.model_registry import Webhook

# What changes in the registry, and what runs say at once.
EVENTS = (*KINDS, "alert")
SECRET_VARIABLE = "STEPWELL_WEBHOOK_SECRET"  # noqa: S105 - where the secret comes from

_id = click.argument("webhook_id")


@click.group(cls=Commands)
def webhooks() -> None:
    """Let the server tell others, by HTTP, what changes; its operator names the hosts that it may tell."""


@webhooks.command("list")
@as_json
@reporting
def list_(as_json: bool) -> None:
    """List webhooks and how their deliveries go."""
    found = StepwellClient().list_webhooks()
    if as_json:
        output.print_json([webhook.to_dictionary() for webhook in found])
        return
    columns = ("webhook_id", "name", "url", "events", "status", "delivered", "given_up", "last_error")
    output.print_rows(columns, map(_row, found), json_too=False)


@webhooks.command()
@click.argument("name")
@click.argument("url")
@click.option(
    "--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only these; may be repeated."
)
@click.option("--model", help="Only what changes of this registered model.")
@as_json
@reporting
def create(name: str, url: str, events: Sequence[str], model: str | None, as_json: bool) -> None:
    """Create a webhook; the secret that signs deliveries comes from STEPWELL_WEBHOOK_SECRET, or is asked for."""
    secret = os.environ.get(SECRET_VARIABLE) or asked_password("Secret")
    if not secret:
        raise click.UsageError(
            f"There was no secret on standard input; {SECRET_VARIABLE} or standard input says it."
        )
    created = StepwellClient().create_webhook(name, url, events, secret=secret, model_name=model)
    if as_json:
        output.print_json(created.to_dictionary())
    else:
        click.echo(f"Created webhook {created.name!r} with id {created.webhook_id}")


@webhooks.command()
@_id
@click.option("--pause", "active", flag_value="no", help="Stop deliveries.")
@click.option("--resume", "active", flag_value="yes", help="Begin again with what changes from now on.")
@click.option("--name", help="A new name.")
@click.option("--url", help="A new address.")
@as_json
@reporting
def update(webhook_id: str, active: str | None, name: str | None, url: str | None, as_json: bool) -> None:
    """Change a webhook, stop it or let it go on."""
    changed = StepwellClient().update_webhook(
        webhook_id, name, url, active=None if active is None else active == "yes"
    )
    if as_json:
        output.print_json(changed.to_dictionary())
    else:
        click.echo(f"Webhook {changed.name!r} is {changed.status}")


@webhooks.command()
@_id
@as_json
@reporting
def delete(webhook_id: str, as_json: bool) -> None:
    """Delete a webhook."""
    StepwellClient().delete_webhook(webhook_id)
    if as_json:
        output.print_json({"webhook_id": webhook_id})
    else:
        click.echo(f"Webhook {webhook_id} is gone")


@webhooks.command()
@_id
@as_json
@reporting
def test(webhook_id: str, as_json: bool) -> None:
    """Deliver a change that never happened, and show what came of it; exit code 1 when it did not get there."""
    status, error = StepwellClient().test_webhook(webhook_id)
    if as_json:
        output.print_json({"webhook_id": webhook_id, "status": status, "error": error})
    elif not error:
        click.echo(f"Delivered: {status}")
    if error:
        raise click.ClickException(f"not delivered: {error}")


def _row(webhook: Webhook) -> Sequence[object]:
    return (
        webhook.webhook_id,
        webhook.name,
        webhook.url,
        ", ".join(webhook.events) or "all",
        webhook.status,
        webhook.delivered,
        webhook.given_up,
        webhook.last_error,
    )
