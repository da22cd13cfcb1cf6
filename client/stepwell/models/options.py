"""The arguments that save_model and log_model of all flavors share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from stepwell.errors import invalid
from stepwell.models.signature import ModelSignature

if TYPE_CHECKING:
    from stepwell.models.mlmodel import Model

AWAIT_REGISTRATION_S_DEFAULT = 300


class SaveOptions(TypedDict, total=False):
    """Keywords of every save_model.

    conda_env, pip_requirements, extra_pip_requirements: see `environment/requirements.py`; one of them at most.
    code_paths: files and folders that are copied beside the model, and can be imported where it is loaded.
    signature: a ModelSignature; if not given it is inferred from the input example; False for none.
    input_example: data as predict takes it, or (data, params); see `examples.py`.
    metadata: anything that YAML can say, kept in MLmodel.
    mlflow_model: a Model to fill, instead of a new one.
    """

    conda_env: Any
    code_paths: Sequence[str] | None
    mlflow_model: "Model | None"
    signature: "ModelSignature | bool | None"
    input_example: Any
    pip_requirements: Any
    extra_pip_requirements: Any
    metadata: Mapping[str, Any] | None


class LogOptions(SaveOptions, total=False):
    """Keywords of every log_model: those of save_model, and where the model goes.

    name: MLflow 3's word for artifact_path.
    registered_model_name: the model becomes a version of this one in the registry, made if missing.
    await_registration_for: seconds to wait until that version is ready.
    run_id: another run than the active one.
    params, tags, model_type, step: of the logged model.
    model_id: a logged model that was made before, and gets these files.
    """

    name: str | None
    registered_model_name: str | None
    await_registration_for: int | None
    run_id: str | None
    params: Mapping[str, Any] | None
    tags: Mapping[str, Any] | None
    model_type: str | None
    step: int
    model_id: str | None
    prompts: Any


@dataclass(frozen=True)
class Saving:
    """SaveOptions, checked."""

    conda_env: Any = None
    code_paths: Sequence[str] | None = None
    mlflow_model: "Model | None" = None
    signature: ModelSignature | bool | None = None
    input_example: Any = None
    pip_requirements: Any = None
    extra_pip_requirements: Any = None
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        chosen = [
            name
            for name in ("conda_env", "pip_requirements", "extra_pip_requirements")
            if getattr(self, name) is not None
        ]
        if len(chosen) > 1:
            raise invalid(
                "Only one of `conda_env`, `pip_requirements`, and `extra_pip_requirements` can be specified, not "
                f"{' and '.join(chosen)}."
            )
        if self.signature not in (None, False) and not isinstance(self.signature, ModelSignature):
            raise invalid(f"signature must be a ModelSignature, not {type(self.signature).__name__}.")
        if self.code_paths is not None and (
            isinstance(self.code_paths, (str, bytes)) or not isinstance(self.code_paths, Iterable)
        ):
            raise TypeError(f"Argument code_paths should be a list, not {type(self.code_paths)}")
        if self.metadata is not None and not isinstance(self.metadata, Mapping):
            raise invalid(f"metadata must be a dict, not {type(self.metadata).__name__}.")


@dataclass(frozen=True)
class Logging:
    """What LogOptions have beside SaveOptions."""

    name: str | None = None
    registered_model_name: str | None = None
    await_registration_for: int | None = AWAIT_REGISTRATION_S_DEFAULT
    run_id: str | None = None
    params: Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None
    model_type: str | None = None
    step: int = 0
    model_id: str | None = None
    prompts: Any = None


def saving(given: Mapping[str, Any], function: str = "save_model") -> Saving:
    """Return checked options. TypeError for what is none, as Python says it."""
    _check_names(given, set(Saving.__dataclass_fields__), function)
    return Saving(**given)


def logging(given: Mapping[str, Any], function: str = "log_model") -> tuple[Logging, Saving]:
    """Return checked options, those of logging and those of saving. TypeError for what is neither."""
    own = set(Logging.__dataclass_fields__)
    _check_names(given, own | set(Saving.__dataclass_fields__), function)
    return (
        Logging(**{key: it for key, it in given.items() if key in own}),
        Saving(**{key: it for key, it in given.items() if key not in own}),
    )


def _check_names(given: Mapping[str, Any], known: set[str], function: str) -> None:
    for name in given:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
