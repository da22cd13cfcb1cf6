"""The file MLmodel: what a model's folder says of itself, in MLflow's own format.

Reading is tolerant: unknown keys stay, foreign flavors do no harm, and what is missing is None. Paths in it are
another matter: see `inside.py`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from stepwell import extras
from stepwell.errors import StepwellException, invalid
from stepwell.models.signature import ModelSignature

FILE = "MLmodel"
# A description of a model; one with an inlined schema of thousands of columns has a few hundred KiB.
FILE_BYTES_MAX = 16 * 2**20
PYFUNC = "python_function"
# The release of MLflow whose format this is; all later ones read it.
FORMAT_VERSION = "2.22.0"


class Model:
    """A model's description. What it has beside the fields below is kept in `other`."""

    def __init__(
        self,
        artifact_path: str | None = None,
        run_id: str | None = None,
        utc_time_created: object = None,
        flavors: Mapping[str, Mapping[str, Any]] | None = None,
        signature: ModelSignature | None = None,
        saved_input_example_info: Mapping[str, Any] | None = None,
        model_uuid: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        model_id: str | None = None,
        model_size_bytes: int | None = None,
        mlflow_version: str | None = FORMAT_VERSION,
        **other: Any,
    ) -> None:
        self.artifact_path = artifact_path
        self.run_id = run_id
        self.utc_time_created = str(utc_time_created or datetime.now(UTC).replace(tzinfo=None))
        self.flavors: dict[str, Any] = {key: dict(it or {}) for key, it in (flavors or {}).items()}
        self.signature = signature
        self.saved_input_example_info = dict(saved_input_example_info) if saved_input_example_info else None
        self.model_uuid = model_uuid or uuid4().hex
        self.metadata = dict(metadata) if metadata else None
        self.model_id = model_id
        self.model_size_bytes = model_size_bytes
        self.mlflow_version = mlflow_version
        self.other = other

    def add_flavor(self, name: str, **config: Any) -> "Model":
        """Add what one flavor needs to load the model."""
        self.flavors[name] = config
        return self

    def flavor(self, name: str) -> dict[str, Any]:
        """Return what a flavor needs.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST when the model has no such flavor.
        """
        if name not in self.flavors:
            has = f" It has: {', '.join(sorted(self.flavors))}." if self.flavors else ""
            raise StepwellException(
                f'Model does not have the "{name}" flavor.{has}', "RESOURCE_DOES_NOT_EXIST"
            )
        return dict(self.flavors[name])

    def get_input_schema(self) -> Any:
        """Return the schema of inputs; None if there is none."""
        return self.signature.inputs if self.signature else None

    def get_output_schema(self) -> Any:
        """Return the schema of outputs; None if there is none."""
        return self.signature.outputs if self.signature else None

    def get_params_schema(self) -> Any:
        """Return the schema of params; None if there is none."""
        return self.signature.params if self.signature else None

    def to_dict(self) -> dict[str, Any]:
        """Return what the file says."""
        found = {
            "artifact_path": self.artifact_path,
            "run_id": self.run_id,
            "utc_time_created": self.utc_time_created,
            "flavors": self.flavors,
            "model_uuid": self.model_uuid,
            "mlflow_version": self.mlflow_version,
            "saved_input_example_info": self.saved_input_example_info,
            "metadata": self.metadata,
            "model_size_bytes": self.model_size_bytes,
            **self.other,
        }
        # The one null that MLflow 3 writes.
        written = {key: it for key, it in found.items() if it is not None} | {"model_id": self.model_id}
        if self.signature is not None:
            written["signature"] = self.signature.to_dict()
            written["is_signature_from_type_hint"] = self.signature._is_signature_from_type_hint
            written["type_hint_from_example"] = False
        return written

    def to_yaml(self) -> str:
        """Return the file's text."""
        text: str = yaml().dump(
            self.to_dict(), Dumper=_dumper(), default_flow_style=False, allow_unicode=True
        )
        return text

    def save(self, path: "str | Path") -> None:
        """Write the file."""
        Path(path).write_text(self.to_yaml(), encoding="utf-8")

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Model":
        """Return the model that a file's content describes."""
        fields = {str(key): it for key, it in value.items()}
        if not isinstance(fields.get("flavors") or {}, Mapping):
            raise invalid(f"{FILE}: flavors must be a map of names, not {fields['flavors']!r}.")
        signature = fields.pop("signature", None)
        from_hint = bool(fields.pop("is_signature_from_type_hint", False))
        fields.pop("type_hint_from_example", None)
        fields.setdefault("mlflow_version", None)
        model = cls(**fields)
        if isinstance(signature, Mapping):
            model.signature = ModelSignature.from_dict(signature)
        if model.signature is not None:
            model.signature._is_signature_from_type_hint = from_hint
        return model

    @classmethod
    def load(cls, path: "str | Path") -> "Model":
        """Return the model of a folder, of a file MLmodel, or of a URI.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST when there is none; INVALID_PARAMETER_VALUE when it is damaged.
        """
        from stepwell.models import places

        return read(places.local_folder(path))


def read(folder: Path) -> Model:
    """Return the model of a local folder; raises as `Model.load`."""
    file = folder / FILE if folder.is_dir() else folder
    if not file.is_file():
        raise StepwellException(
            f'Could not find an "{FILE}" configuration file at "{folder}": it is no model.',
            "RESOURCE_DOES_NOT_EXIST",
        )
    if file.stat().st_size > FILE_BYTES_MAX:
        raise invalid(
            f"{file} has more than {FILE_BYTES_MAX:,} bytes; it cannot be the description of a model."
        )
    try:
        value = yaml().load(file.read_bytes(), Loader=_loader())
    except (yaml().YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"{file} is no YAML: {error}") from None
    if not isinstance(value, Mapping):
        raise invalid(f"{file} must be a map of names, not {type(value).__name__}.")
    return Model.from_dict(value)


def yaml() -> Any:
    """Return PyYAML, which the light client does not bring along."""
    return extras.load("yaml", "A model's description", "models")


def _loader() -> Any:
    found = yaml()
    return getattr(found, "CSafeLoader", found.SafeLoader)


def _dumper() -> Any:
    found = yaml()
    return getattr(found, "CSafeDumper", found.SafeDumper)
