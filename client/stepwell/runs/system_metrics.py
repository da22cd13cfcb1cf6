"""System metrics of a run: CPU, memory, disk and network of the machine and of this process, and NVIDIA GPUs.

Sampled by a thread of each run that wants them, under MLflow's names (system/cpu_utilization_percentage, ...); with a
node id they are system/<node id>/.... Several processes of one run tell their points apart by the writer's rank.
Needs psutil (the extra `system`); GPUs are there when nvidia-ml-py and a driver are.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from logging import getLogger
from typing import Any

from stepwell import extras, settings
from stepwell.delivery import record
from stepwell.delivery.writer import RunWriter
from stepwell.entities import Run
from stepwell.errors import StepwellException, invalid, short

PREFIX = "system/"
# How long the end of a run waits for a sample that is under way.
STOP_TIMEOUT_S = 2.0
_MEGABYTE = 1e6

_log = getLogger("stepwell")


@short
def enable_system_metrics_logging() -> None:
    """Let runs that start from here on log system metrics, here and in processes that are started from here."""
    settings.set_system_metrics("ENABLE_SYSTEM_METRICS_LOGGING", "true")


@short
def disable_system_metrics_logging() -> None:
    """Let runs that start from here on log no system metrics, unless start_run(log_system_metrics=True) says so."""
    settings.set_system_metrics("ENABLE_SYSTEM_METRICS_LOGGING", "false")


@short
def set_system_metrics_sampling_interval(interval: float | None) -> None:
    """Set the seconds between two samples; None means the default, 10."""
    if interval is not None and not interval > 0:
        raise invalid(f"The sampling interval is a number of seconds above 0, not {interval!r}.")
    settings.set_system_metrics("SYSTEM_METRICS_SAMPLING_INTERVAL", interval)


@short
def set_system_metrics_samples_before_logging(samples: int | None) -> None:
    """Set how many samples are averaged to one point; None means the default, 1."""
    if samples is not None and not samples >= 1:
        raise invalid(f"The number of samples before logging is 1 or more, not {samples!r}.")
    settings.set_system_metrics("SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", samples)


@short
def set_system_metrics_node_id(node_id: str | None) -> None:
    """Set what tells this machine from others in the names of system metrics."""
    settings.set_system_metrics("SYSTEM_METRICS_NODE_ID", node_id)


class SystemMonitor:
    """Samples until it is stopped, and logs to one run."""

    def __init__(self, run: Run, writer: RunWriter) -> None:
        self._run_id = run.info.run_id
        self._writer = writer
        self._sources = _sources()
        node_id = settings.system_metrics_node_id()
        self._prefix = f"{PREFIX}{node_id}/" if node_id else PREFIX
        self._interval_s = settings.system_metrics_interval_s()
        self._samples = settings.system_metrics_samples()
        # A run that goes on goes on counting.
        self._step = 1 + max(
            (point.step for key, point in run.data.latest_points.items() if key.startswith(self._prefix)),
            default=-1,
        )
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="stepwell-system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it has sampled is logged."""
        self._stopped.set()
        self._thread.join(STOP_TIMEOUT_S)

    def _sample(self) -> None:
        samples: dict[str, list[float]] = defaultdict(list)
        taken = 0
        ended = False
        while not ended:
            ended = self._stopped.wait(self._interval_s)
            for source in self._sources:
                _take(source, samples)
            taken += 1
            if taken >= self._samples or ended:
                self._write(samples)
                samples.clear()
                taken = 0

    def _write(self, samples: Mapping[str, list[float]]) -> None:
        means = {self._prefix + name: sum(values) / len(values) for name, values in samples.items()}
        try:
            record.log_metrics(self._writer, means, self._step, record.now_ms(), None)
        except StepwellException as failure:
            _log.warning("System metrics of run %s stop: %s", self._run_id, failure.message)
            self._stopped.set()
        self._step += 1


Source = Callable[[], Mapping[str, float]]


def start(run: Run, writer: RunWriter, wanted: bool | None) -> SystemMonitor | None:
    """Start a monitor if the caller or the settings want one; None if not."""
    if not (settings.system_metrics_enabled() if wanted is None else wanted):
        return None
    try:
        return SystemMonitor(run, writer)
    except ModuleNotFoundError as missing:
        _log.warning(
            "No system metrics of run %s: %s is missing. %s.",
            *(run.info.run_id, missing.name, extras.install_hint("system")),
        )
        return None


def _take(source: Source, samples: dict[str, list[float]]) -> None:
    try:
        for name, value in source().items():
            samples[name].append(value)
    except Exception as error:  # noqa: BLE001 - whatever a sensor or driver raises: the training goes on
        _log.debug("a system metric could not be read: %s", error)


def _sources() -> list[Source]:
    import psutil

    process = psutil.Process()
    start_of_network = psutil.net_io_counters()
    # The first call of each of these only marks where the next one measures from.
    psutil.cpu_percent()
    process.cpu_percent()
    return [
        lambda: {"cpu_utilization_percentage": psutil.cpu_percent()},
        lambda: _memory(psutil.virtual_memory()),
        lambda: _disk(psutil.disk_usage("/")),
        lambda: _network(start_of_network, psutil.net_io_counters()),
        lambda: _process(process),
        *_gpu_sources(),
    ]


def _memory(memory: Any) -> Mapping[str, float]:
    return {
        "system_memory_usage_megabytes": memory.used / _MEGABYTE,
        "system_memory_usage_percentage": memory.used / memory.total * 100,
    }


def _disk(disk: Any) -> Mapping[str, float]:
    return {
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / _MEGABYTE,
        "disk_available_megabytes": disk.free / _MEGABYTE,
    }


def _network(start_: Any, now: Any) -> Mapping[str, float]:
    return {
        "network_receive_megabytes": (now.bytes_recv - start_.bytes_recv) / _MEGABYTE,
        "network_transmit_megabytes": (now.bytes_sent - start_.bytes_sent) / _MEGABYTE,
    }


def _process(process: Any) -> Mapping[str, float]:
    return {
        "process_cpu_utilization_percentage": process.cpu_percent(),
        "process_memory_usage_megabytes": process.memory_info().rss / _MEGABYTE,
        "process_threads": process.num_threads(),
    }


def _gpu_sources() -> list[Source]:
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # noqa: BLE001 - no library, no driver, no device: all of them mean that there is no GPU
        return []
    return [partial(gpu_values, pynvml, number, handle) for number, handle in enumerate(handles)]


def gpu_values(nvml: Any, number: int, handle: Any) -> Mapping[str, float]:
    """Read one GPU; `nvml` is the module pynvml. Power comes in milliwatts."""
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    power, power_max = nvml.nvmlDeviceGetPowerUsage(handle), nvml.nvmlDeviceGetEnforcedPowerLimit(handle)
    return {
        f"gpu_{number}_memory_usage_percentage": memory.used / memory.total * 100,
        f"gpu_{number}_memory_usage_megabytes": memory.used / _MEGABYTE,
        f"gpu_{number}_utilization_percentage": nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
        f"gpu_{number}_power_usage_watts": power / 1_000,
        f"gpu_{number}_power_usage_percentage": power / power_max * 100,
    }
