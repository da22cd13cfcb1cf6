"""The rules of all services that doors reach: what a caller needs for each method.

Reading needs READ; logging, changing, and deleting what can be restored needs WRITE; what concerns an experiment or a
registered model as a whole needs MANAGE. Searches are narrowed to what the caller may read, or change.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from stepwell_server.model.access import Level, Scope, ThingKind
from stepwell_server.model.ingest import Opener
from stepwell_server.services.access.calling import caller
from stepwell_server.services.access.guard import Given, Guarded, Rule
from stepwell_server.services.access.permissions import Permissions
from stepwell_server.services.registry.sources import registered_model_of

# Runs and logged models that a source of a version names; what begins so is here.
_HERE = ("runs:", "models:", "mlflow-artifacts:", "stepwell-artifacts:")
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")

READ, WRITE, MANAGE = Level.READ, Level.WRITE, Level.MANAGE


async def beginning_uploads(permissions: Permissions, given: Given) -> None:
    """Writers of the run. Whoever names the hash of a file has not got the file: he gets none that others logged."""
    await permissions.require_owned([given["run_id"]], WRITE, "owner")
    given["believed"] = caller().administers


async def anybody(permissions: Permissions, given: Given) -> None:
    """Everybody who is known."""
    caller()


async def admin(permissions: Permissions, given: Given) -> None:
    """Admins."""
    await permissions.require_admin()


def of(name: str, level: Level, what: str = "run") -> Rule:
    """Return the rule for what is done with a run or a logged model, or several."""

    async def rule(permissions: Permissions, given: Given) -> None:
        ids = given[name]
        await permissions.require_owned([ids] if isinstance(ids, UUID) else ids, level, what)

    return rule


def within(level: Level, kind: ThingKind = ThingKind.EXPERIMENT) -> Rule:
    """Return the rule of a search: it is told where it may look."""

    async def rule(permissions: Permissions, given: Given) -> None:
        given["within"] = await permissions.within(kind, level)

    return rule


def experiment(level: Level) -> Rule:
    """Return the rule for what is done with an experiment."""

    async def rule(permissions: Permissions, given: Given) -> None:
        await permissions.require_experiments([given["experiment_id"]], level)

    return rule


def model(level: Level) -> Rule:
    """Return the rule for what is done with a registered model; who does it is who calls."""

    async def rule(permissions: Permissions, given: Given) -> None:
        await permissions.require_model(given["name"], level)
        _sign(given)

    return rule


def _ids(text: str) -> list[UUID]:
    return [UUID(hex=found) for found in _ID.findall(text)]


def _sign(given: Given) -> None:
    if "author" in given:
        given["author"] = replace(given["author"], user=caller().name)


async def experiment_named(permissions: Permissions, given: Given) -> None:
    """Readers of the experiment of a name."""
    await permissions.require_experiment_named(given["name"], READ)


async def creating(permissions: Permissions, given: Given) -> None:
    """Who may make something new."""
    permissions.require_creating()
    _sign(given)


async def updating_experiment(permissions: Permissions, given: Given) -> None:
    """Managers may give an experiment another name, writers change its tags."""
    level = WRITE if given.get("name") is None else MANAGE
    await permissions.require_experiments([given["experiment_id"]], level)


async def updating_model(permissions: Permissions, given: Given) -> None:
    """Managers may give a registered model another name, writers change the rest."""
    level = WRITE if given["change"].new_name is None else MANAGE
    await permissions.require_model(given["name"], level)
    _sign(given)


async def new_run(permissions: Permissions, given: Given) -> None:
    """Writers of the experiment of a run that is there, or of the one in which it is made."""
    spec = given["spec"]
    placed = spec.experiment_id is not None or spec.experiment_name is not None
    if not placed or await permissions.is_known(spec.run_id):
        await permissions.require_owned([spec.run_id], WRITE)
    else:
        await permissions.require_place(spec.experiment_id, spec.experiment_name)


async def new_logged_model(permissions: Permissions, given: Given) -> None:
    """Writers of the experiment of a logged model that is there, or of the one it is made in; readers of its run."""
    spec = given["spec"]
    if await permissions.is_known(spec.model_id):
        await permissions.require_owned([spec.model_id], WRITE, "model")
    placed = spec.experiment_id is not None or spec.experiment_name is not None
    if spec.source_run_id is not None:
        await permissions.require_owned([spec.source_run_id], READ if placed else WRITE)
    await permissions.require_place(spec.experiment_id, spec.experiment_name)


async def version_move(permissions: Permissions, given: Given) -> None:
    """Writers of the registered model."""
    await permissions.require_model(given["move"].name, WRITE)
    _sign(given)


async def new_version(permissions: Permissions, given: Given) -> None:
    """Writers of the registered model who may read where the files come from."""
    spec = given["spec"]
    await permissions.require_model(spec.name, WRITE)
    source = registered_model_of(spec.source)
    if source is not None:
        await permissions.require_model(source, READ)
    await permissions.require_owned([*_ids(spec.run_id), *_ids(spec.model_id)], READ, "owner")
    for address in filter(None, (spec.source, spec.storage_uri)):
        ids = _ids(address)
        if not address.startswith(_HERE):  # it may be the id of a run elsewhere
            ids = [id_ for id_ in ids if await permissions.is_known(id_)]
        await permissions.require_owned(ids, READ, "owner")
    _sign(given)


async def linking(permissions: Permissions, given: Given) -> None:
    """Writers of the run, who may read the models."""
    await permissions.require_owned([given["run_id"]], WRITE)
    models = [*(it.model_id for it in given["outputs"]), *given["inputs"]]
    await permissions.require_owned(models, READ, "model")


async def watching(permissions: Permissions, given: Given) -> None:
    """Readers of all runs that are followed."""
    await permissions.require_owned([*given["run_ids"], *given.get("from_now", ())], READ)


async def series(permissions: Permissions, given: Given) -> None:
    """Readers of all runs of the series."""
    await permissions.require_owned([name.run_id for name in given["series"]], READ)


async def readable_series(permissions: Permissions, given: Given) -> None:
    """Anybody, but for the series that he may not read."""
    readable = await permissions.readable([name.run_id for name in given["series"]])
    given["series"] = [name for name in given["series"] if name.run_id in readable]


async def readable_runs(permissions: Permissions, given: Given) -> None:
    """Anybody, but for the runs that he may not read; of others, nothing is told of what he may not read."""
    readable = await permissions.readable(given["run_ids"])
    given["run_ids"] = [run_id for run_id in given["run_ids"] if run_id in readable]
    given["within"] = await permissions.within(ThingKind.EXPERIMENT, READ)


async def alerts(permissions: Permissions, given: Given) -> None:
    """Readers of the run, if one is named; of others, what they may read."""
    wanted = given["wanted"]
    if wanted.run_id is not None:
        await permissions.require_owned([wanted.run_id], READ)
    given["within"] = await permissions.within(ThingKind.EXPERIMENT, READ)


async def changes(permissions: Permissions, given: Given) -> None:
    """Readers of the registered model, if one is named; of others, what they may read."""
    if given["wanted"].name:
        await permissions.require_model(given["wanted"].name, READ)
    given["within"] = await permissions.within(ThingKind.MODEL, READ)


async def new_view(permissions: Permissions, given: Given) -> None:
    """Writers of all experiments of the view."""
    await permissions.require_experiments(given["experiment_ids"], WRITE)
    await permissions.require_existing(given["experiment_ids"])


async def removing_view(permissions: Permissions, given: Given) -> None:
    """Writers of all experiments of the view."""
    await permissions.require_view(given["view_id"], WRITE)


async def own_account(permissions: Permissions, given: Given) -> None:
    """Admins, and whose account it is, with all that it may do."""
    who = caller()
    if given["name"] != who.name or who.scope is not Scope.ADMIN or who.experiment_ids is not None:
        await permissions.require_admin()


async def thing(permissions: Permissions, given: Given) -> None:
    """Managers of the experiment or registered model."""
    named = given["thing"]
    if named.kind is ThingKind.MODEL:
        await permissions.require_model(named.name, MANAGE)
    elif named.name.isascii() and named.name.isdigit():  # else the service refuses it
        await permissions.require_experiments([int(named.name[:18])], MANAGE)


async def opening(permissions: Permissions, given: Given) -> None:
    """As for a new run; the writer is the account's then, and others may go on with it who manage the experiment."""
    await new_run(permissions, given)
    manages = await permissions.may(given["spec"].run_id, MANAGE)
    given["opener"] = Opener(caller().account_id, manages=manages)


async def writer(permissions: Permissions, given: Given) -> None:
    """Writers of the run that a stream is open for."""
    await permissions.require_owned([given["identity"].run_id], WRITE)


async def batch(permissions: Permissions, given: Given) -> None:
    """The same, for what it brings."""
    await permissions.require_owned([given["batch"].run_id], WRITE)


async def _own_experiment(permissions: Permissions, given: Given, made: Any) -> None:
    await permissions.own(ThingKind.EXPERIMENT, str(made.experiment_id))


async def _own_model(permissions: Permissions, given: Given, made: Any) -> None:
    await permissions.own(ThingKind.MODEL, given["spec"].name)


def _noted(action: str, name: str) -> Any:
    def noted(given: Given, result: Any) -> tuple[str, str]:
        subject = given[name]
        return action, subject.hex if isinstance(subject, UUID) else str(subject)

    return noted


def _noted_grant(given: Given, result: Any) -> tuple[str, str]:
    to, of_what = given["subject"], given["thing"]
    level = given["level"].name.lower() if "level" in given else "nothing"
    return "access.changed", f"{of_what.kind.value} {of_what.name}: {to.kind.value} {to.name} has {level}"


def _noted_default(given: Given, result: Any) -> tuple[str, str]:
    return "access.changed", f"everybody has {given['level'].name.lower()} where nothing is granted"


def _noted_change(given: Given, result: Any) -> tuple[str, str]:
    words = {"is_admin": ("not admin", "admin"), "is_active": ("switched off", "switched on")}
    changed = [words[name][given[name]] for name in words if given.get(name) is not None]
    return "user.changed", f"{given['name']}: {', '.join(changed)}"


def _noted_members(given: Given, result: Any) -> tuple[str, str]:
    moved = [f"+{name}" for name in given["added"]] + [f"-{name}" for name in given["removed"]]
    return "group.changed", f"{given['group']}: {' '.join(moved)}"


def _noted_token(given: Given, result: Any) -> tuple[str, str]:
    token = result[0]
    return (
        "token.created",
        f"{token.token_id} {token.name!r} of {token.account}, scope {token.scope.name.lower()}",
    )


def _noted_revoked(given: Given, result: Any) -> tuple[str, str]:
    return "token.revoked", f"{result.token_id} {result.name!r} of {result.account}"


def _noted_moves(given: Given, result: Any) -> tuple[str, str]:
    move = given["move"]
    return "version.moved", f"{move.name}/{move.version} to {move.stage}"


def _noted_version(action: str) -> Any:
    def noted(given: Given, result: Any) -> tuple[str, str]:
        return action, f"{given['name']}/{given['version']}"

    return noted


def _noted_alias(action: str) -> Any:
    def noted(given: Given, result: Any) -> tuple[str, str]:
        version = f" for version {given['version']}" if "version" in given else ""
        return action, f"{given['name']}@{given['alias']}{version}"

    return noted


def _noted_search(action: str) -> Any:
    def noted(given: Given, result: Any) -> tuple[str, str]:
        return action, f"{result} that a filter found"

    return noted


def _all(names: Sequence[str], rule: Rule) -> dict[str, Guarded]:
    return {name: Guarded(rule) for name in names}


# By the names of the fields of `Services`.
RULES: Mapping[str, Mapping[str, Guarded]] = {
    "experiments": {
        "create": Guarded(creating, _own_experiment),
        "get": Guarded(experiment(READ)),
        "get_by_name": Guarded(experiment_named),
        "list": Guarded(within(READ)),
        "update": Guarded(updating_experiment),
        "delete_tag": Guarded(experiment(WRITE)),
        "delete": Guarded(experiment(MANAGE), noted=_noted("experiment.deleted", "experiment_id")),
        "restore": Guarded(experiment(MANAGE), noted=_noted("experiment.restored", "experiment_id")),
    },
    "runs": {
        "create": Guarded(new_run),
        **_all(["get", "rest", "whole", "get_info"], of("run_id", READ)),
        "datasets_of": Guarded(within(READ)),
        **_all(["log_inputs", "update", "delete_tag", "rewind", "undo_rewind"], of("run_id", WRITE)),
        "delete": Guarded(of("run_id", WRITE), noted=_noted("run.deleted", "run_id")),
        "restore": Guarded(of("run_id", WRITE), noted=_noted("run.restored", "run_id")),
    },
    "models": {
        **_all(["create", "adopt"], new_logged_model),
        "get": Guarded(of("model_id", READ, "model")),
        **_all(["finalize", "log_params", "set_tags", "delete_tag"], of("model_id", WRITE, "model")),
        "delete": Guarded(of("model_id", WRITE, "model"), noted=_noted("model.deleted", "model_id")),
        "restore": Guarded(of("model_id", WRITE, "model"), noted=_noted("model.restored", "model_id")),
        "link": Guarded(linking),
        "search": Guarded(within(READ)),
    },
    "search": {
        **_all(["runs", "experiments", "count"], within(READ)),
        "tag_runs": Guarded(within(WRITE)),
        "delete_runs": Guarded(within(WRITE), noted=_noted_search("runs.deleted")),
        "restore_runs": Guarded(within(WRITE), noted=_noted_search("runs.restored")),
    },
    "keys": {"keys": Guarded(within(READ))},
    "exploring": {
        **_all(["values", "groups", "changes", "summaries"], within(READ)),
        "kin": Guarded(readable_runs),
    },
    "views": {
        "save": Guarded(new_view),
        "views": Guarded(within(READ)),
        "delete": Guarded(removing_view),
    },
    "ingest": {
        "open": Guarded(opening),
        "submit": Guarded(batch),
        **_all(["close", "check"], writer),
    },
    "calls": {"log": Guarded(of("run_id", WRITE))},
    "series": {
        **_all(["history", "last_points"], series),
        **_all(["latest", "sample"], of("run_ids", READ)),
        "thinned": Guarded(readable_series),
    },
    "group_lines": {"lines": Guarded(within(READ))},
    "watching": {"watch": Guarded(watching)},
    "writers": _all(["writers", "refusals", "console"], of("run_id", READ)),
    "histograms": _all(["names", "read"], of("run_id", READ)),
    "alerts": {"list": Guarded(alerts)},
    "artifacts": {
        **_all(["list", "get", "read"], of("run_id", READ, "owner")),
        "delete": Guarded(of("run_id", WRITE, "owner"), noted=_noted("artifacts.deleted", "run_id")),
        "delete_run": Guarded(admin),
    },
    "uploads": {
        "begin": Guarded(beginning_uploads),
        **_all(
            [
                "held_bytes",
                "write",
                "write_small",
                "sign_parts",
                "take",
                "complete",
                "add_rows",
                "abandon",
            ],
            of("run_id", WRITE, "owner"),
        ),
    },
    "multipart": _all(["available", "begin", "complete", "abandon"], of("run_id", WRITE, "owner")),
    "verification": {"verify": Guarded(admin)},
    "moves": {"move": Guarded(admin)},
    "registered_models": {
        "create": Guarded(creating, _own_model),
        "get": Guarded(model(READ)),
        "update": Guarded(updating_model),
        "delete_tag": Guarded(model(WRITE)),
        "delete": Guarded(model(MANAGE), noted=_noted("registered_model.deleted", "name")),
        "search": Guarded(within(READ, ThingKind.MODEL)),
        "set_alias": Guarded(model(WRITE), noted=_noted_alias("alias.set")),
        "delete_alias": Guarded(model(WRITE), noted=_noted_alias("alias.removed")),
        "changes": Guarded(changes),
    },
    "model_versions": {
        "create": Guarded(new_version),
        **_all(["get", "get_by_alias", "latest", "find"], model(READ)),
        **_all(["update", "delete_tag"], model(WRITE)),
        "delete": Guarded(model(WRITE), noted=_noted_version("version.deleted")),
        "move": Guarded(version_move, noted=_noted_moves),
        "search": Guarded(within(READ, ThingKind.MODEL)),
    },
    "webhooks": _all(["create", "list", "update", "delete", "test"], admin),
}

# The services of access control itself.
ACCESS_RULES: Mapping[str, Mapping[str, Guarded]] = {
    "accounts": {
        "who": Guarded(anybody),
        **_all(["get", "list", "groups"], admin),
        "add": Guarded(admin, noted=_noted("user.added", "name")),
        "change": Guarded(admin, noted=_noted_change),
        "set_password": Guarded(own_account, noted=_noted("user.password", "name")),
        "remove": Guarded(admin, noted=_noted("user.removed", "name")),
        "add_group": Guarded(admin, noted=_noted("group.added", "name")),
        "change_members": Guarded(admin, noted=_noted_members),
        "remove_group": Guarded(admin, noted=_noted("group.removed", "name")),
    },
    "tokens": {
        "create": Guarded(anybody, noted=_noted_token),
        "list": Guarded(anybody),
        "revoke": Guarded(anybody, noted=_noted_revoked),
    },
    "grants": {
        "grant": Guarded(thing, noted=_noted_grant),
        "revoke": Guarded(thing, noted=_noted_grant),
        "of": Guarded(thing),
        "all": Guarded(admin),
        "set_default": Guarded(admin, noted=_noted_default),
    },
    "audit": {"list": Guarded(admin)},
}
