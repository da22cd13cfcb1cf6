"""Signatures: what a model takes, gives, and has for params; what scripts import as mlflow.models.signature."""

from collections.abc import Mapping
from typing import Any

from stepwell.errors import invalid, short
from stepwell.types.schema import ParamSchema, Schema

__all__ = ["ModelSignature", "infer_signature", "set_signature"]


class ModelSignature:
    """The schemas of inputs, outputs and params; at least one of them.

    Raises:
        ValueError: there is none. TypeError: one is something else than a schema.
    """

    def __init__(
        self,
        inputs: Schema | None = None,
        outputs: Schema | None = None,
        params: ParamSchema | None = None,
    ) -> None:
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            if given is not None and not isinstance(given, Schema):
                raise TypeError(f"{what} must be either None or a Schema, got {type(given).__name__!r}")
        if params is not None and not isinstance(params, ParamSchema):
            raise TypeError(f"params must be either None or a ParamSchema, got {type(params).__name__!r}")
        if inputs is None and outputs is None and params is None:
            raise ValueError("A ModelSignature needs at least one of inputs, outputs and params.")
        self.inputs = inputs
        self.outputs = outputs
        self.params = params
        self._is_signature_from_type_hint = False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON texts by name, None for what there is not."""
        return {
            "inputs": self.inputs.to_json() if self.inputs else None,
            "outputs": self.outputs.to_json() if self.outputs else None,
            "params": self.params.to_json() if self.params else None,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ModelSignature | None":
        """Return the signature of JSON texts; None when all are."""
        inputs, outputs, params = (value.get(key) for key in ("inputs", "outputs", "params"))
        if not (inputs or outputs or params):
            return None
        return cls(
            Schema.from_json(inputs) if inputs else None,
            Schema.from_json(outputs) if outputs else None,
            ParamSchema.from_json(params) if params else None,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"inputs: \n  {self.inputs!r}\noutputs: \n  {self.outputs!r}\nparams: \n  {self.params!r}\n"


@short
def infer_signature(
    model_input: Any = None, model_output: Any = None, params: Mapping[str, Any] | None = None
) -> ModelSignature:
    """Return the signature that examples have.

    Args:
        model_input: a data frame, an array, a sparse matrix, a dict of arrays, a list or dict of values.
        model_output: the same, of what the model gives for it.
        params: names and defaults of params of predict.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for params that have no type. Data without one becomes `any`, with
            a warning.
    """
    from stepwell.types import inference, inferred_params

    return ModelSignature(
        None if model_input is None else inference.infer_schema(model_input),
        None if model_output is None else inference.infer_schema(model_output),
        inferred_params.infer_params(params) if params else None,
    )


@short
def set_signature(model_uri: str, signature: ModelSignature) -> None:
    """Give a model that was logged or saved another signature.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else than a signature, or a version in the registry,
            which does not change; RESOURCE_DOES_NOT_EXIST.
    """
    from stepwell.models import rewriting

    if not isinstance(signature, ModelSignature):
        raise invalid(f"signature must be a ModelSignature, not {type(signature).__name__}.")
    rewriting.set_signature(model_uri, signature)
