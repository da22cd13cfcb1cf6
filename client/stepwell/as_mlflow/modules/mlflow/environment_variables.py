"""What scripts import as mlflow.environment_variables: those that Stepwell reads."""

import os

from stepwell.as_mlflow.standing_in import stand_in


class _EnvironmentVariable:
    """A variable by its name; its value is a text, or None where it is not set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.default = None

    def get(self) -> str | None:
        """Return the value."""
        return os.environ.get(self.name)

    def get_raw(self) -> str | None:
        """Return the value."""
        return self.get()

    def set(self, value: object) -> None:
        """Set the value, here and for child processes."""
        os.environ[self.name] = str(value)

    def unset(self) -> None:
        """Remove the variable."""
        os.environ.pop(self.name, None)

    def is_set(self) -> bool:
        """Tell whether it has a value."""
        return self.name in os.environ

    @property
    def defined(self) -> bool:
        """Whether it has a value."""
        return self.is_set()

    def __str__(self) -> str:
        return self.name


MLFLOW_TRACKING_URI = _EnvironmentVariable("MLFLOW_TRACKING_URI")
MLFLOW_REGISTRY_URI = _EnvironmentVariable("MLFLOW_REGISTRY_URI")
MLFLOW_EXPERIMENT_NAME = _EnvironmentVariable("MLFLOW_EXPERIMENT_NAME")
MLFLOW_EXPERIMENT_ID = _EnvironmentVariable("MLFLOW_EXPERIMENT_ID")
MLFLOW_RUN_ID = _EnvironmentVariable("MLFLOW_RUN_ID")
MLFLOW_RUN_CONTEXT = _EnvironmentVariable("MLFLOW_RUN_CONTEXT")
MLFLOW_TRUNCATE_LONG_VALUES = _EnvironmentVariable("MLFLOW_TRUNCATE_LONG_VALUES")
MLFLOW_TRACKING_USERNAME = _EnvironmentVariable("MLFLOW_TRACKING_USERNAME")
MLFLOW_TRACKING_PASSWORD = _EnvironmentVariable("MLFLOW_TRACKING_PASSWORD")
MLFLOW_TRACKING_TOKEN = _EnvironmentVariable("MLFLOW_TRACKING_TOKEN")
MLFLOW_TRACKING_INSECURE_TLS = _EnvironmentVariable("MLFLOW_TRACKING_INSECURE_TLS")
MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING = _EnvironmentVariable("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING")

stand_in(globals())
