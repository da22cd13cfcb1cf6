"""The rules: what a caller needs for what. table.py says which one each method has."""

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from stepwell_server.model.access import Level, Scope, ThingKind
from stepwell_server.model.ingest import ModelPointEntry, Opener, Rejection
from stepwell_server.services.access.calling import caller
from stepwell_server.services.access.grants import is_experiment_id
from stepwell_server.services.access.guard import Given, Rule
from stepwell_server.services.access.permissions import Permissions, no_such
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


async def adopting(permissions: Permissions, given: Given) -> None:
    """The same, but writers of the run: its files become the model's."""
    source = given["spec"].source_run_id
    if source is not None:
        await permissions.require_owned([source], WRITE)
    await new_logged_model(permissions, given)


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
    elif is_experiment_id(named.name):  # else the service refuses it
        await permissions.require_experiments([int(named.name)], MANAGE)


async def opening(permissions: Permissions, given: Given) -> None:
    """As for a new run; the writer is the account's then, and others may go on with it who manage the experiment."""
    await new_run(permissions, given)
    manages = await permissions.may(given["spec"].run_id, MANAGE)
    given["opener"] = Opener(caller().account_id, manages=manages)


async def writer(permissions: Permissions, given: Given) -> None:
    """Writers of the run that a stream is open for."""
    await permissions.require_owned([given["identity"].run_id], WRITE)


async def batch(permissions: Permissions, given: Given) -> None:
    """The same, for what it brings; what it says of models that the caller may not read is refused."""
    brought = given["batch"]
    await permissions.require_owned([brought.run_id], WRITE)
    said = [it for it in brought.entries if isinstance(it, ModelPointEntry)]
    hidden = await permissions.hidden({it.model_id for it in said}) if said else ()
    if hidden:
        entries = [
            it for it in brought.entries if not (isinstance(it, ModelPointEntry) and it.model_id in hidden)
        ]
        refused = [_no_such_model(it) for it in said if it.model_id in hidden]
        given["batch"] = replace(brought, entries=entries, refused=[*brought.refused, *refused])


def _no_such_model(entry: ModelPointEntry) -> Rejection:
    error = no_such("model", entry.model_id)
    return Rejection(entry.position, 1, entry.key, error.error_code, str(error))


async def logging(permissions: Permissions, given: Given) -> None:
    """Writers of the run, who may read the models that something is said of."""
    await permissions.require_owned([given["run_id"]], WRITE)
    for model_id in await permissions.hidden({it.model_id for it in given["logged"].model_points}):
        raise no_such("model", model_id)


async def own_experiment(permissions: Permissions, given: Given, made: Any) -> None:
    """Let who made an experiment manage it."""
    await permissions.own(ThingKind.EXPERIMENT, str(made.experiment_id))


async def own_model(permissions: Permissions, given: Given, made: Any) -> None:
    """Let who made a registered model manage it."""
    await permissions.own(ThingKind.MODEL, given["spec"].name)
