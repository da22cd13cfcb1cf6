"""System metrics from the background of a run."""

from types import SimpleNamespace

import pytest

import stepwell as mlflow
from stepwell.runs import system_metrics
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri", "quick")

OF_EVERY_MACHINE = {
    *("cpu_utilization_percentage", "system_memory_usage_megabytes", "system_memory_usage_percentage"),
    *("disk_usage_percentage", "disk_usage_megabytes", "disk_available_megabytes"),
    *("network_receive_megabytes", "network_transmit_megabytes"),
    *("process_cpu_utilization_percentage", "process_memory_usage_megabytes", "process_threads"),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAMPLING_INTERVAL", "SAMPLES_BEFORE_LOGGING", "NODE_ID"):
        monkeypatch.setenv(f"STEPWELL_SYSTEM_METRICS_{name}", "")
    monkeypatch.setenv("STEPWELL_ENABLE_SYSTEM_METRICS_LOGGING", "")
    mlflow.set_system_metrics_sampling_interval(0.01)


def names_of(run: mlflow.ActiveRun) -> set[str]:
    return set(mlflow.get_run(run.info.run_id).data.metrics)


def wait_for_points(run: mlflow.ActiveRun, count: int, key: str = "system/process_threads") -> list[int]:
    while True:
        steps = sorted(point.step for point in mlflow.get_metric_history(run.info.run_id, key))
        if len(steps) >= count:
            return steps


def test_a_run_that_wants_them_has_them() -> None:
    with mlflow.start_run(log_system_metrics=True) as run:
        steps = wait_for_points(run, 3)
        assert steps == list(range(len(steps)))
    found = names_of(run)
    assert {f"system/{name}" for name in OF_EVERY_MACHINE} <= found
    assert all(name.startswith("system/") for name in found)
    assert run.monitor is None
    with mlflow.start_run(run_id=run.info.run_id, log_system_metrics=True):
        pass
    everything = wait_for_points(run, len(steps) + 1)
    assert everything == list(range(len(everything)))


def test_they_are_switched_on_and_off() -> None:
    with mlflow.start_run() as run:
        assert run.monitor is None
    mlflow.enable_system_metrics_logging()
    mlflow.set_system_metrics_node_id("node 7")
    mlflow.set_system_metrics_samples_before_logging(2)
    with mlflow.start_run() as run:
        wait_for_points(run, 2, "system/node 7/process_threads")
    assert {name.split("/")[1] for name in names_of(run)} == {"node 7"}
    with mlflow.start_run(log_system_metrics=False) as run:
        assert run.monitor is None
    mlflow.disable_system_metrics_logging()
    with mlflow.start_run() as run:
        assert run.monitor is None


def test_wrong_settings_are_refused() -> None:
    with refused("INVALID_PARAMETER_VALUE", "above 0"):
        mlflow.set_system_metrics_sampling_interval(0)
    with refused("INVALID_PARAMETER_VALUE", "1 or more"):
        mlflow.set_system_metrics_samples_before_logging(0)


def test_a_gpu_is_read_by_mlflows_names() -> None:
    nvml = SimpleNamespace(
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=2e9, total=8e9),
        nvmlDeviceGetPowerUsage=lambda handle: 150_000,
        nvmlDeviceGetEnforcedPowerLimit=lambda handle: 300_000,
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=71),
    )
    assert system_metrics.gpu_values(nvml, 3, object()) == {
        "gpu_3_memory_usage_percentage": 25.0,
        "gpu_3_memory_usage_megabytes": 2_000.0,
        "gpu_3_utilization_percentage": 71,
        "gpu_3_power_usage_watts": 150.0,
        "gpu_3_power_usage_percentage": 50.0,
    }
