"""What scripts import as mlflow.utils.environment: a conda environment for log_model."""

import platform
from collections.abc import Sequence
from typing import Any

from stepwell.as_mlflow.standing_in import stand_in


def _mlflow_conda_env(
    path: Any = None,
    additional_conda_deps: Sequence[str] | None = None,
    additional_pip_deps: Sequence[str] | None = None,
    additional_conda_channels: Sequence[str] | None = None,
    install_mlflow: bool = True,
) -> dict[str, Any]:
    return {
        "name": "mlflow-env",
        "channels": ["conda-forge", *(additional_conda_channels or ())],
        "dependencies": [
            f"python={platform.python_version()}",
            *(additional_conda_deps or ()),
            "pip",
            {"pip": [*(["mlflow"] if install_mlflow else []), *(additional_pip_deps or ())]},
        ],
    }


stand_in(globals())
