"""Which rule each method has that a door could call, and what the audit says of it.

Reading needs READ; logging, changing, and deleting what can be restored needs WRITE; what concerns an experiment or a
registered model as a whole needs MANAGE. Searches are narrowed to what the caller may read, or change.
"""

from collections.abc import Mapping, Sequence

from stepwell_server.model.access import Level, ThingKind
from stepwell_server.services.access import audit_words, rules
from stepwell_server.services.access.guard import Guarded, Rule

READ, WRITE, MANAGE = Level.READ, Level.WRITE, Level.MANAGE


def _all(names: Sequence[str], rule: Rule) -> dict[str, Guarded]:
    return {name: Guarded(rule) for name in names}


# By the names of the fields of `Services`.
RULES: Mapping[str, Mapping[str, Guarded]] = {
    "experiments": {
        "create": Guarded(rules.creating, rules.own_experiment),
        "get": Guarded(rules.experiment(READ)),
        "get_by_name": Guarded(rules.experiment_named),
        "list": Guarded(rules.within(READ)),
        "update": Guarded(rules.updating_experiment),
        "delete_tag": Guarded(rules.experiment(WRITE)),
        "delete": Guarded(
            rules.experiment(MANAGE), noted=audit_words.subject("experiment.deleted", "experiment_id")
        ),
        "restore": Guarded(
            rules.experiment(MANAGE), noted=audit_words.subject("experiment.restored", "experiment_id")
        ),
    },
    "runs": {
        "create": Guarded(rules.new_run),
        **_all(["get", "rest", "whole", "get_info"], rules.of("run_id", READ)),
        "datasets_of": Guarded(rules.within(READ)),
        **_all(["log_inputs", "update", "delete_tag", "rewind", "undo_rewind"], rules.of("run_id", WRITE)),
        "delete": Guarded(rules.of("run_id", WRITE), noted=audit_words.subject("run.deleted", "run_id")),
        "restore": Guarded(rules.of("run_id", WRITE), noted=audit_words.subject("run.restored", "run_id")),
    },
    "models": {
        "create": Guarded(rules.new_logged_model),
        "adopt": Guarded(rules.adopting),
        "get": Guarded(rules.of("model_id", READ, "model")),
        **_all(["finalize", "log_params", "set_tags", "delete_tag"], rules.of("model_id", WRITE, "model")),
        "delete": Guarded(
            rules.of("model_id", WRITE, "model"), noted=audit_words.subject("model.deleted", "model_id")
        ),
        "restore": Guarded(
            rules.of("model_id", WRITE, "model"), noted=audit_words.subject("model.restored", "model_id")
        ),
        "link": Guarded(rules.linking),
        "search": Guarded(rules.within(READ)),
    },
    "search": {
        **_all(["runs", "experiments", "count"], rules.within(READ)),
        "tag_runs": Guarded(rules.within(WRITE)),
        "delete_runs": Guarded(rules.within(WRITE), noted=audit_words.search("runs.deleted")),
        "restore_runs": Guarded(rules.within(WRITE), noted=audit_words.search("runs.restored")),
    },
    "keys": {"keys": Guarded(rules.within(READ))},
    "exploring": {
        **_all(["values", "groups", "changes", "summaries"], rules.within(READ)),
        "kin": Guarded(rules.readable_runs),
    },
    "views": {
        "save": Guarded(rules.new_view),
        "views": Guarded(rules.within(READ)),
        "delete": Guarded(rules.removing_view),
    },
    "ingest": {
        "open": Guarded(rules.opening),
        "submit": Guarded(rules.batch),
        **_all(["close", "check"], rules.writer),
    },
    "calls": {"log": Guarded(rules.logging)},
    "series": {
        **_all(["history", "last_points"], rules.series),
        **_all(["latest", "sample"], rules.of("run_ids", READ)),
        "thinned": Guarded(rules.readable_series),
    },
    "group_lines": {"lines": Guarded(rules.within(READ))},
    "watching": {"watch": Guarded(rules.watching)},
    "writers": _all(["writers", "refusals", "console"], rules.of("run_id", READ)),
    "histograms": _all(["names", "read"], rules.of("run_id", READ)),
    "alerts": {"list": Guarded(rules.alerts)},
    "artifacts": {
        **_all(["list", "get", "read"], rules.of("run_id", READ, "owner")),
        "addresses": Guarded(rules.anybody),  # of lines that `list` has given to the same caller
        "delete": Guarded(
            rules.of("run_id", WRITE, "owner"), noted=audit_words.subject("artifacts.deleted", "run_id")
        ),
    },
    "uploads": {
        "begin": Guarded(rules.beginning_uploads),
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
            rules.of("run_id", WRITE, "owner"),
        ),
    },
    "multipart": _all(["available", "begin", "complete", "abandon"], rules.of("run_id", WRITE, "owner")),
    "verification": {"verify": Guarded(rules.admin)},
    "moves": {"move": Guarded(rules.admin)},
    "registered_models": {
        "create": Guarded(rules.creating, rules.own_model),
        "get": Guarded(rules.model(READ)),
        "update": Guarded(rules.updating_model),
        "delete_tag": Guarded(rules.model(WRITE)),
        "delete": Guarded(rules.model(MANAGE), noted=audit_words.subject("registered_model.deleted", "name")),
        "search": Guarded(rules.within(READ, ThingKind.MODEL)),
        "set_alias": Guarded(rules.model(WRITE), noted=audit_words.alias("alias.set")),
        "delete_alias": Guarded(rules.model(WRITE), noted=audit_words.alias("alias.removed")),
        "changes": Guarded(rules.changes),
    },
    "model_versions": {
        "create": Guarded(rules.new_version),
        **_all(["get", "get_by_alias", "latest", "find"], rules.model(READ)),
        **_all(["update", "delete_tag"], rules.model(WRITE)),
        "delete": Guarded(rules.model(WRITE), noted=audit_words.version("version.deleted")),
        "move": Guarded(rules.version_move, noted=audit_words.moves),
        "search": Guarded(rules.within(READ, ThingKind.MODEL)),
    },
    "webhooks": _all(["create", "list", "update", "delete", "test"], rules.admin),
}

# The services of access control itself.
ACCESS_RULES: Mapping[str, Mapping[str, Guarded]] = {
    "accounts": {
        "who": Guarded(rules.anybody),
        **_all(["get", "list", "groups"], rules.admin),
        "add": Guarded(rules.admin, noted=audit_words.subject("user.added", "name")),
        "change": Guarded(rules.admin, noted=audit_words.account),
        "set_password": Guarded(rules.own_account, noted=audit_words.subject("user.password", "name")),
        "remove": Guarded(rules.admin, noted=audit_words.subject("user.removed", "name")),
        "add_group": Guarded(rules.admin, noted=audit_words.subject("group.added", "name")),
        "change_members": Guarded(rules.admin, noted=audit_words.members),
        "remove_group": Guarded(rules.admin, noted=audit_words.subject("group.removed", "name")),
    },
    "tokens": {
        "create": Guarded(rules.anybody, noted=audit_words.token),
        "list": Guarded(rules.anybody),
        "revoke": Guarded(rules.anybody, noted=audit_words.revoked),
    },
    "grants": {
        "grant": Guarded(rules.thing, noted=audit_words.grant),
        "revoke": Guarded(rules.thing, noted=audit_words.grant),
        "of": Guarded(rules.thing),
        "all": Guarded(rules.admin),
        "set_default": Guarded(rules.admin, noted=audit_words.default_level),
    },
    "audit": {"list": Guarded(rules.admin)},
}
