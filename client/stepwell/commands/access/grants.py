"""`stepwell access`: who may do what with which experiment or registered model."""

from collections.abc import Callable
from typing import Any

import click

from stepwell.commands import output
from stepwell.commands.access.server import LEVELS, ask, level_of, level_word
from stepwell.commands.finding import experiment_called
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, reporting
from stepwell_api.v1 import access_pb2 as pb

Command = Callable[..., Any]


def _to_whom(command: Command) -> Command:
    for option in (
        click.option("--everybody", is_flag=True, help="Everybody who has an account."),
        click.option("--group", help="A group."),
        click.option("--user", help="An account."),
    ):
        command = option(command)
    return command


def _of_what(command: Command) -> Command:
    model = click.option("--model", help="A registered model, by its name.")
    experiment = click.option("--experiment", metavar="NAME|ID", help="An experiment, by its name or id.")
    return experiment(model(command))


@click.group(cls=Commands)
def access() -> None:
    """Say who may do what with an experiment or a registered model; for who manages it."""


@access.command()
@click.argument("level", type=click.Choice(LEVELS))
@_to_whom
@_of_what
@as_json
@reporting
def grant(
    level: str,
    user: str | None,
    group: str | None,
    everybody: bool,
    experiment: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Let somebody do something: none, read, write or manage, in place of what was said before."""
    wanted = pb.AccessGrant(
        subject=_subject(user, group, everybody), thing=_thing(experiment, model), level=level_of(level)
    )
    granted = ask(lambda it: it.access.Grant(pb.GrantRequest(grant=wanted))).grant
    if as_json:
        output.print_json(_plain(granted))
    else:
        what = f"experiment {experiment!r}" if experiment else _of(granted)
        click.echo(f"From now on, {_to(granted.subject)} has {level_word(granted.level)} on {what}.")


@access.command()
@_to_whom
@_of_what
@as_json
@reporting
def revoke(
    user: str | None,
    group: str | None,
    everybody: bool,
    experiment: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Take back what was granted: what groups, everybody or the default have counts again."""
    request = pb.RevokeGrantRequest(subject=_subject(user, group, everybody), thing=_thing(experiment, model))
    found = ask(lambda it: it.access.RevokeGrant(request)).found
    if as_json:
        output.print_json({"found": found})
    else:
        click.echo("It is taken back." if found else "Nothing of the kind was granted.")


@access.command()
@_of_what
@click.option("--user", help="What an account was granted; for admins.")
@click.option("--group", help="What a group was granted; for admins.")
@as_json
@reporting
def show(
    experiment: str | None, model: str | None, user: str | None, group: str | None, as_json: bool
) -> None:
    """Show who may do what: of one thing, of one account or group, or of all (for admins)."""
    request = pb.ListGrantsRequest(
        thing=_thing(experiment, model) if experiment or model else None,
        subject=_subject(user, group, False) if user or group else None,
    )
    answer = ask(lambda it: it.access.ListGrants(request))
    if as_json:
        default = level_word(answer.default_level)
        output.print_json({"grants": [_plain(it) for it in answer.grants], "default": default})
        return
    rows = [(_of(it), _to(it.subject), level_word(it.level)) for it in answer.grants]
    output.print_rows(("what", "who", "level"), rows, json_too=False)
    click.echo(f"Where nothing is granted, everybody has {level_word(answer.default_level)}.")


@access.command()
@click.argument("level", type=click.Choice(LEVELS))
@as_json
@reporting
def default(level: str, as_json: bool) -> None:
    """Say what everybody may do where nothing is granted; for admins."""
    ask(lambda it: it.access.SetDefaultLevel(pb.SetDefaultLevelRequest(level=level_of(level))))
    if as_json:
        output.print_json({"default": level})
    else:
        click.echo(f"Where nothing is granted, everybody has {level}.")


def _subject(user: str | None, group: str | None, everybody: bool) -> pb.AccessSubject:
    if sum((user is not None, group is not None, everybody)) != 1:
        raise click.UsageError("Say to whom: --user NAME, --group NAME or --everybody.")
    if everybody:
        return pb.AccessSubject(everybody=pb.Everybody())
    return pb.AccessSubject(group=group or "") if user is None else pb.AccessSubject(user=user)


def _thing(experiment: str | None, model: str | None) -> pb.AccessThing:
    if (experiment is None) == (model is None):
        raise click.UsageError("Say of what: --experiment NAME, or --model NAME.")
    if model is not None:
        return pb.AccessThing(model=model)
    assert experiment is not None
    return pb.AccessThing(experiment_id=int(experiment_called(experiment).experiment_id))


def _plain(grant: pb.AccessGrant) -> dict[str, Any]:
    kind = grant.subject.WhichOneof("subject")
    thing = grant.thing.WhichOneof("thing")
    return {
        "subject": kind,
        "name": "" if kind == "everybody" else getattr(grant.subject, kind or "user"),
        "experiment_id": str(grant.thing.experiment_id) if thing == "experiment_id" else None,
        "experiment": grant.experiment_name or None,
        "model": grant.thing.model if thing == "model" else None,
        "level": level_word(grant.level),
    }


def _to(subject: pb.AccessSubject) -> str:
    match subject.WhichOneof("subject"):
        case "group":
            return f"group {subject.group}"
        case "user":
            return subject.user
        case _:
            return "everybody"


def _of(grant: pb.AccessGrant) -> str:
    if grant.thing.WhichOneof("thing") == "model":
        return f"registered model {grant.thing.model}"
    named = f" ({grant.experiment_name})" if grant.experiment_name else ""
    return f"experiment {grant.thing.experiment_id}{named}"
