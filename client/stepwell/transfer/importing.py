"""Imports: every run of a source becomes a run here, with the same id wherever that is one of ours.

An import can be repeated: what is there is not stored again, and what the source has got since is added. Points are
compared with those that the run has here, whoever logged them; the ids of a run and of its writers are worked out from
the source and never change.

What is wrong with one thing of a source does not keep the others back: it goes to `ImportReport.left`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stepwell import settings
from stepwell.transfer.imported_experiments import Experiments
from stepwell.transfer.imported_runs import RunImporter
from stepwell.transfer.left import Left
from stepwell.transfer.models.imported import ModelImporter
from stepwell.transfer.models.registered import RegistryImporter
from stepwell.transfer.sources import Source
from stepwell.wire.calls import Calls


@dataclass(slots=True)
class ImportReport:
    """What an import brought, and what it left; all but `runs` and `models` were new here, `artifacts` are files."""

    runs: int = 0
    models: int = 0
    model_versions: int = 0
    points: int = 0
    artifacts: int = 0
    data_sets: int = 0
    histograms: int = 0
    alerts: int = 0
    left: Left = field(default_factory=Left)


def import_runs(
    source: Source,
    *,
    tracking_uri: str | None = None,
    progress: Callable[[ImportReport], None] = lambda _: None,
) -> ImportReport:
    """Bring all runs of a source to the server.

    Args:
        source: where the runs are; see `stepwell.transfer.mlflow.source`, `tensorboard` and `parquet`.
        tracking_uri: another server than that of set_tracking_uri.
        progress: is told at the beginning, and then now and then, how far it is; always the same report.

    Raises:
        StepwellException: the server cannot be reached; the import can be repeated.
    """
    uri = tracking_uri or settings.tracking_uri()
    report = ImportReport(left=source.left)
    progress(report)
    experiments = Experiments(Calls(uri), report.left)
    for experiment in source.experiments():
        experiments.bring(experiment)
    runs = RunImporter(uri, report.left)
    for run in source.runs():
        experiment_id = experiments.id_for_run(run.experiment)
        if experiment_id is None:
            continue
        came = runs.bring(run, experiment_id)
        report.runs += came
        report.points, report.artifacts, report.data_sets = runs.points, runs.artifacts, runs.data_sets
        report.histograms, report.alerts = runs.observations.histograms, runs.observations.alerts
        progress(report)
    models = ModelImporter(uri, report.left)
    for model in source.models():
        experiment_id = experiments.id_for_run(model.experiment)
        if experiment_id is not None:
            models.bring(model, experiment_id)
            report.models, report.artifacts = models.models, runs.artifacts + models.artifacts
            progress(report)
    registry = RegistryImporter(uri, report.left)
    for registered in source.registered():
        registry.bring(registered)
        report.model_versions = registry.versions
        progress(report)
    experiments.tell()
    for what in source.not_taken():
        report.left.add(what)
    return report
