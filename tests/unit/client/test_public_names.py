"""What scripts import by name stays, wherever the code behind it moves."""

import importlib

import pytest

NAMES = {
    "stepwell": """
        ActiveRun Experiment ExperimentTag FileInfo Health LatestMetrics LifecycleStage Metric MetricNews MetricSeries
        MlflowClient MlflowException PagedList Param PendingWrite Receipt Rejection Run RunData RunInfo RunStatus RunTag
        SampledSeries StepwellClient StepwellException ViewType active_run artifacts create_experiment data
        delete_experiment delete_experiment_tag delete_run delete_tag disable_system_metrics_logging
        enable_system_metrics_logging end_run entities exceptions flush flush_artifact_async_logging flush_async_logging
        get_artifact_uri get_experiment get_experiment_by_name get_latest_metrics get_metric_history get_metric_series
        get_parent_run get_run get_tracking_uri health is_tracking_uri_set last_active_run load_table log_artifact
        log_artifacts log_dict log_figure log_image log_input log_inputs log_metric log_metrics log_param log_params
        log_series log_stream log_table log_text restore_experiment restore_run sample_series search_experiments
        search_runs set_experiment set_experiment_tag set_experiment_tags set_system_metrics_node_id
        set_system_metrics_samples_before_logging set_system_metrics_sampling_interval set_tag set_tags set_tracking_uri
        start_run tracking watch
    """,
    "stepwell.artifacts": "download_artifacts list_artifacts load_dict load_image load_text",
    "stepwell.tracking": "MlflowClient StepwellClient get_tracking_uri is_tracking_uri_set set_tracking_uri",
    "stepwell.data": "Dataset from_numpy from_pandas to_input",
    "stepwell.exceptions": "MlflowException StepwellException",
    "stepwell.entities": """
        Dataset DatasetInput Experiment ExperimentTag FileInfo InputTag LifecycleStage Metric PagedList Param Run
        RunData RunInfo RunInputs RunStatus RunTag ViewType
    """,
    "stepwell.client": "StepwellClient",
}


@pytest.mark.parametrize("module", NAMES)
def test_public_names_stay(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


def test_the_packages_list_of_names_is_whole() -> None:
    assert set(NAMES["stepwell"].split()) <= set(importlib.import_module("stepwell").__all__)


def test_what_is_not_there_yet_says_where_it_is() -> None:
    stepwell = importlib.import_module("stepwell")
    with pytest.raises(AttributeError, match="Stepwell has no evaluate"):
        stepwell.evaluate()
    assert not hasattr(stepwell, "no_such_name")
