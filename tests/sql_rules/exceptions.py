"""What does not keep to a rule. An entry that is not needed any more fails the check; EXCEPTIONS only shrinks."""

# Rule 'named runs': statements that are about the runs of all machines, by purpose.
EVERYWHERE = {
    "alerts.list": "a page of the alerts of all experiments",
    "artifacts.idle": "uploads of any run for which nothing happens",
    "artifacts.announced": "the bytes of all open uploads",
    "artifacts.stored": "the bytes of all runs of an experiment",
    "calls.forget": "old calls of any run",
    "compaction.fresh_writers": "who has small chunks, whichever run, a page after the other",
    "experiments.delete_runs": "all runs of an experiment",
    "experiments.restore_runs": "all runs of an experiment",
    "exploring.changes": "runs of experiments that changed",
    "exploring.children": "children of runs are anywhere",
    "exploring.summaries": "all runs of experiments",
    "garbage.removable_experiments": "whether an experiment has runs",
    "garbage.removable_runs": "deleted runs of all experiments",
    "garbage.remove_model_rows": "what any run knows of a model",
    "inputs.summaries": "the data sets of all runs of an experiment",
    "keys.latest_runs": "runs of experiments",
    "leases.extend": "all leases",
    "leases.extend_awaited": "all writers that are expected",
    "leases.take_expired": "leases of any run",
    "leases.take_never_come": "writers of any run that never came",
    "logged_models.metrics": "what any run measured of a model",
    "moves.count_elsewhere": "the artifacts of all runs of an experiment",
    "moves.count_uploads": "the uploads of all runs of an experiment",
    "moves.owners": "all runs of an experiment",
    "moves.relocate_runs": "all runs of an experiment",
    "value_index.due": "runs that are due, whichever",
    "verification.shown": "contents are shown by any run",
    "webhooks.claim": "alerts of any run",
    "webhooks.create": "alerts of any run",
    "webhooks.due": "alerts of any run",
    "webhooks.skip": "alerts of any run",
    "webhooks.update": "alerts of any run",
    "search runs": "searches look at the runs of experiments",
    "search groups": "searches look at the runs of experiments",
    "search values": "searches look at the runs of experiments",
    "search logged models": "what any run measured of a model",
}

# What is to be mended, by rule.
EXCEPTIONS: dict[str, list[str]] = {}
