"""`stepwell users`: accounts. The server has them when it was started with --auth."""

from typing import Any

import click

from stepwell.commands import output
from stepwell.commands.access.server import ask, asked_password, plain_time
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, reporting
from stepwell.errors import StepwellException
from stepwell_api.v1 import access_pb2 as pb

_name = click.argument("name")


@click.group(cls=Commands)
def users() -> None:
    """Say who may call the server; for admins."""


@users.command()
@_name
@click.option("--admin", is_flag=True, help="May do everything.")
@click.option("--service", is_flag=True, help="The account of a job: it has tokens and no password.")
@click.option("--no-password", is_flag=True, help="Comes in by tokens or single sign-on alone.")
@as_json
@reporting
def add(name: str, admin: bool, service: bool, no_password: bool, as_json: bool) -> None:
    """Add an account; its password is asked for, or read from standard input."""
    password = "" if service or no_password else asked_password(f"Password of {name}")
    if not (password or service or no_password):
        raise click.UsageError(
            "There was no password on standard input; --no-password adds an account without one."
        )
    request = pb.AddUserRequest(name=name, is_service=service, is_admin=admin, password=password)
    _tell(ask(lambda it: it.accounts.AddUser(request)).user, "was added", as_json)


@users.command("list")
@as_json
@reporting
def list_(as_json: bool) -> None:
    """List accounts."""
    found: list[pb.User] = []
    while True:
        request = pb.ListUsersRequest(after=found[-1].name if found else "")
        more = ask(lambda it: it.accounts.ListUsers(request)).users  # noqa: B023 - it is called at once
        found += more
        if len(more) < 1_000:
            break
    if as_json:
        output.print_json([plain_user(user) for user in found])
        return
    columns = ("name", "kind", "admin", "active", "password", "groups", "last_used")
    rows = [[_shown(plain_user(user)[column]) for column in columns] for user in found]
    output.print_rows(columns, rows, json_too=False)


@users.command()
@_name
@click.option("--admin/--no-admin", default=None, help="May do everything, or not any more.")
@click.option("--on/--off", "active", default=None, help="May call, or not for now.")
@as_json
@reporting
def change(name: str, admin: bool | None, active: bool | None, as_json: bool) -> None:
    """Make an account an admin's or not, switch it off or on."""
    if admin is None and active is None:
        raise click.UsageError("Say what to change: --admin, --no-admin, --off or --on.")
    request = pb.ChangeUserRequest(name=name, is_admin=admin, is_active=active)
    _tell(ask(lambda it: it.accounts.ChangeUser(request)).user, "was changed", as_json)


@users.command()
@_name
@as_json
@reporting
def remove(name: str, as_json: bool) -> None:
    """Remove an account with its tokens and grants; what it logged stays."""
    ask(lambda it: it.accounts.RemoveUser(pb.RemoveUserRequest(name=name)))
    if as_json:
        output.print_json({"name": name})
    else:
        click.echo(f"{name!r} is gone, and its tokens are good no more.")


@users.command()
@click.argument("name", required=False)
@as_json
@reporting
def password(name: str | None, as_json: bool) -> None:
    """Set a password: one's own, or as an admin that of another account."""
    whose = name or ask(lambda it: it.access.WhoAmI(pb.WhoAmIRequest())).name
    request = pb.SetPasswordRequest(name=whose, password=asked_password(f"New password of {whose}"))
    ask(lambda it: it.accounts.SetPassword(request))
    if as_json:
        output.print_json({"name": whose})
    else:
        click.echo(f"The password of {whose!r} is set; the one before is good no more.")


@click.group(cls=Commands)
def groups() -> None:
    """Put accounts together that may do the same; for admins."""


@groups.command("add")
@_name
@click.argument("members", nargs=-1)
@as_json
@reporting
def add_group(name: str, members: tuple[str, ...], as_json: bool) -> None:
    """Add a group, or accounts to it."""
    is_new = name not in _groups()
    if is_new:
        ask(lambda it: it.accounts.AddGroup(pb.AddGroupRequest(name=name)))
    request = pb.ChangeGroupRequest(name=name, added=members)
    try:
        group = ask(lambda it: it.accounts.ChangeGroup(request)).group
    except StepwellException:
        if is_new:  # all of it, or nothing
            ask(lambda it: it.accounts.RemoveGroup(pb.RemoveGroupRequest(name=name)))
        raise
    _tell_group(group, as_json)


@groups.command("list")
@as_json
@reporting
def list_groups(as_json: bool) -> None:
    """List groups."""
    found = [_plain_group(group) for group in _groups().values()]
    if as_json:
        output.print_json(found)
    else:
        rows = [(group["name"], ", ".join(group["members"])) for group in found]
        output.print_rows(("name", "members"), rows, json_too=False)


@groups.command("remove")
@_name
@click.argument("members", nargs=-1)
@as_json
@reporting
def remove_group(name: str, members: tuple[str, ...], as_json: bool) -> None:
    """Take accounts out of a group; without any, remove it with its grants."""
    if members:
        request = pb.ChangeGroupRequest(name=name, removed=members)
        _tell_group(ask(lambda it: it.accounts.ChangeGroup(request)).group, as_json)
        return
    ask(lambda it: it.accounts.RemoveGroup(pb.RemoveGroupRequest(name=name)))
    if as_json:
        output.print_json({"name": name})
    else:
        click.echo(f"The group {name!r} is gone.")


def plain_user(user: pb.User) -> dict[str, Any]:
    """Return an account as JSON has it."""
    return {
        "name": user.name,
        "kind": "service" if user.is_service else "user",
        "admin": user.is_admin,
        "active": user.is_active,
        "password": user.has_password,
        "groups": list(user.groups),
        "created": plain_time(user.created_time_ms),
        "last_used": plain_time(user.last_used_time_ms),
    }


def _groups() -> dict[str, pb.Group]:
    found = ask(lambda it: it.accounts.ListGroups(pb.ListGroupsRequest())).groups
    return {group.name: group for group in found}


def _plain_group(group: pb.Group) -> dict[str, Any]:
    return {"name": group.name, "members": list(group.members), "created": plain_time(group.created_time_ms)}


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else value


def _tell(user: pb.User, what: str, as_json: bool) -> None:
    if as_json:
        output.print_json(plain_user(user))
    else:
        kind = "The service account" if user.is_service else "The account"
        click.echo(f"{kind} {user.name!r} {what}{', an admin' if user.is_admin else ''}.")


def _tell_group(group: pb.Group, as_json: bool) -> None:
    if as_json:
        output.print_json(_plain_group(group))
    else:
        click.echo(f"The group {group.name!r} has {', '.join(group.members) or 'nobody'}.")
