"""Stepwell's client. Scripts written for MLflow run with `import stepwell as mlflow`.

    import stepwell

    with stepwell.start_run():
        stepwell.log_param("learning_rate", 0.1)
        for step in range(100):
            stepwell.log_metric("loss", 1 / (step + 1), step=step)

Log calls take less than a microsecond and do not wait: a background thread brings what was logged to the server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stepwell import artifacts, data, entities, exceptions, tracking
from stepwell.client import StepwellClient
from stepwell.delivery.health import Health, health
from stepwell.delivery.receipts import PendingWrite, Receipt, Rejection
from stepwell.entities import (
    Alert,
    AlertLevel,
    Experiment,
    ExperimentTag,
    FileInfo,
    Histogram,
    LifecycleStage,
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    PagedList,
    Param,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    RunTag,
    ViewType,
)
from stepwell.errors import StepwellException
from stepwell.experiments import (
    create_experiment,
    delete_experiment,
    delete_experiment_tag,
    get_experiment,
    get_experiment_by_name,
    restore_experiment,
    search_experiments,
    set_experiment,
    set_experiment_tag,
    set_experiment_tags,
)
from stepwell.fluent import (
    delete_run,
    delete_tag,
    flush,
    flush_async_logging,
    get_metric_history,
    get_parent_run,
    get_run,
    get_tracking_uri,
    is_tracking_uri_set,
    last_active_run,
    log_input,
    log_inputs,
    log_metric,
    log_metrics,
    log_param,
    log_params,
    log_series,
    restore_run,
    set_tag,
    set_tags,
    set_tracking_uri,
)
from stepwell.fluent_artifacts import (
    flush_artifact_async_logging,
    get_artifact_uri,
    load_table,
    log_artifact,
    log_artifacts,
    log_dict,
    log_figure,
    log_image,
    log_stream,
    log_table,
    log_text,
)
from stepwell.fluent_models import (
    clear_active_model,
    create_external_model,
    delete_logged_model_tag,
    finalize_logged_model,
    get_active_model_id,
    get_logged_model,
    initialize_logged_model,
    last_logged_model,
    log_model_folder,
    log_model_params,
    log_outputs,
    search_logged_models,
    set_active_model,
    set_logged_model_tags,
)
from stepwell.fluent_observations import alert, log_audio, log_histogram, log_video
from stepwell.logged_models.active import ActiveModel
from stepwell.reading.series import get_latest_metrics, get_metric_series, sample_series
from stepwell.reading.watching import MetricNews, watch
from stepwell.registering import (
    get_registry_uri,
    register_model,
    search_model_versions,
    search_registered_models,
    set_model_version_tag,
    set_registry_uri,
)
from stepwell.runs import shutdown as _shutdown  # noqa: F401 - registers what happens at the end of the process
from stepwell.runs.active import ActiveRun, active_run, end_run, start_run
from stepwell.runs.system_metrics import (
    disable_system_metrics_logging,
    enable_system_metrics_logging,
    set_system_metrics_node_id,
    set_system_metrics_samples_before_logging,
    set_system_metrics_sampling_interval,
)
from stepwell.searching import search_runs
from stepwell.showing import show

if TYPE_CHECKING:
    from stepwell import models, pyfunc, sklearn, types
    from stepwell.reading.columns import LatestMetrics, MetricSeries, SampledSeries

MlflowClient = StepwellClient
MlflowException = StepwellException

__version__ = "0.1.0"

__all__ = [
    "ActiveModel",
    "ActiveRun",
    "Alert",
    "AlertLevel",
    "Experiment",
    "ExperimentTag",
    "FileInfo",
    "Health",
    "Histogram",
    "LatestMetrics",
    "LifecycleStage",
    "LoggedModel",
    "LoggedModelInput",
    "LoggedModelOutput",
    "LoggedModelStatus",
    "Metric",
    "MetricNews",
    "MetricSeries",
    "MlflowClient",
    "MlflowException",
    "PagedList",
    "Param",
    "PendingWrite",
    "Receipt",
    "Rejection",
    "Run",
    "RunData",
    "RunInfo",
    "RunStatus",
    "RunTag",
    "SampledSeries",
    "StepwellClient",
    "StepwellException",
    "ViewType",
    "active_run",
    "alert",
    "artifacts",
    "clear_active_model",
    "create_experiment",
    "create_external_model",
    "data",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_logged_model_tag",
    "delete_run",
    "delete_tag",
    "disable_system_metrics_logging",
    "enable_system_metrics_logging",
    "end_run",
    "entities",
    "exceptions",
    "finalize_logged_model",
    "flush",
    "flush_artifact_async_logging",
    "flush_async_logging",
    "get_active_model_id",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_latest_metrics",
    "get_logged_model",
    "get_metric_history",
    "get_metric_series",
    "get_parent_run",
    "get_registry_uri",
    "get_run",
    "get_tracking_uri",
    "health",
    "initialize_logged_model",
    "is_tracking_uri_set",
    "last_active_run",
    "last_logged_model",
    "load_table",
    "log_artifact",
    "log_artifacts",
    "log_audio",
    "log_dict",
    "log_figure",
    "log_histogram",
    "log_image",
    "log_input",
    "log_inputs",
    "log_metric",
    "log_metrics",
    "log_model_folder",
    "log_model_params",
    "log_outputs",
    "log_param",
    "log_params",
    "log_series",
    "log_stream",
    "log_table",
    "log_text",
    "log_video",
    "models",
    "pyfunc",
    "register_model",
    "restore_experiment",
    "restore_run",
    "sample_series",
    "search_experiments",
    "search_logged_models",
    "search_model_versions",
    "search_registered_models",
    "search_runs",
    "set_active_model",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_logged_model_tags",
    "set_model_version_tag",
    "set_registry_uri",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "show",
    "sklearn",
    "start_run",
    "tracking",
    "types",
    "watch",
]

# What reading gives needs numpy, which would double the time that `import stepwell` takes.
_COLUMNS = ("LatestMetrics", "MetricSeries", "SampledSeries")


# What scripts for MLflow also use, and is not here: evaluation, models of more libraries, traces and prompts.
_MLFLOWS = frozenset(
    [
        "evaluate",
        "catboost",
        "diffusers",
        "h2o",
        "onnx",
        "paddle",
        "pmdarima",
        "prophet",
        "pyspark",
        "sentence_transformers",
        "shap",
        "spacy",
        "spark",
        "statsmodels",
        "transformers",
        "anthropic",
        "autogen",
        "bedrock",
        "crewai",
        "dspy",
        "gemini",
        "genai",
        "groq",
        "langchain",
        "litellm",
        "llama_index",
        "mistral",
        "openai",
        "smolagents",
        "add_trace",
        "get_trace",
        "load_prompt",
        "log_trace",
        "register_prompt",
        "search_prompts",
        "search_traces",
        "start_span",
        "trace",
        "tracing",
        "update_current_trace",
    ]
)

# Modules for models, imported with the first use: most runs log none.
_MODULES = frozenset(
    {
        "fastai",
        "keras",
        "lightgbm",
        "models",
        "pyfunc",
        "pytorch",
        "sklearn",
        "tensorflow",
        "types",
        "xgboost",
    }
)


def __getattr__(name: str) -> Any:
    if name in _COLUMNS:
        from stepwell.reading import columns

        return getattr(columns, name)
    if name == "autolog":
        from stepwell.autologging.flavors import autolog

        return autolog
    if name == "install_as_mlflow":
        return import_module("stepwell.as_mlflow").install
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in ("projects", "run"):
        projects = import_module("stepwell.projects")
        return projects.run if name == "run" else projects
    if name in _MLFLOWS:
        raise AttributeError(
            f"Stepwell has no {name}. With `import mlflow` and Stepwell's plugin for it, MLflow's own works: see "
            "docs/from-mlflow.md."
        )
    raise AttributeError(f"module 'stepwell' has no attribute {name!r}")
