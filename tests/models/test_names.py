"""Names that scripts for MLflow use, each in a process that has imported nothing else of models."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "script",
    [
        "import stepwell as mlflow; mlflow.models.signature.ModelSignature; mlflow.models.infer_signature",
        "import stepwell as mlflow; mlflow.types.schema.ColSpec; mlflow.types.Schema; mlflow.types.DataType.long",
        "import stepwell as mlflow; mlflow.pyfunc.PythonModel; mlflow.sklearn.log_model; mlflow.pyfunc.load_model",
        "import stepwell.sklearn, stepwell.pyfunc; stepwell.sklearn.load_model",
        "from stepwell.models import Model, ModelSignature, infer_signature, set_signature, get_model_info, set_model",
        "from stepwell.models import ModelConfig, ModelInfo, validate_serving_input; from stepwell import models",
        "from stepwell.models.signature import infer_signature; from stepwell.types.schema import Schema, TensorSpec",
        "from stepwell.entities.model_registry import ModelVersion, ModelVersionTag, RegisteredModel",
        "import stepwell as mlflow; mlflow.entities.model_registry.RegisteredModelAlias('champion', 1)",
        "from stepwell.entities.model_registry.model_version_status import ModelVersionStatus as Status; "
        "assert Status.from_string('READY') == Status.READY and Status.to_string(3) == 'READY'",
        "from stepwell.entities.model_registry.model_version_stages import ALL_STAGES, get_canonical_stage; "
        "assert get_canonical_stage('production') in ALL_STAGES",
        "import stepwell, sys; assert 'stepwell.entities.model_registry' not in sys.modules",
        "import stepwell, sys; assert not {'stepwell.models', 'yaml', 'pandas', 'stepwell.types'} & set(sys.modules)",
    ],
)
def test_names(script: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
