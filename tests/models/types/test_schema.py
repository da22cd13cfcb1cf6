"""Schemas: what may stand beside what, and JSON there and back."""

import json
from typing import Any

import numpy as np
import pytest

from stepwell.errors import StepwellException
from stepwell.types.kinds import DEPTH_MAX
from stepwell.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)

TENSOR = TensorSpec(np.dtype("float32"), (-1, 3), "x")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([], "at least one"),
        ("double", "at least one"),
        ([ColSpec("long", "a"), TENSOR], "not both"),
        ([ColSpec("long", "a"), ColSpec("long")], "either all have a name or none"),
        ([TensorSpec("int64", (-1,)), TensorSpec("int64", (-1,))], "need names"),
        ([ColSpec("long", required=False)], "cannot be optional"),
    ],
)
def test_what_is_no_schema(parts: Any, why: str) -> None:
    with pytest.raises(StepwellException, match=why):
        Schema(parts)


@pytest.mark.parametrize(
    "schema",
    [
        Schema([ColSpec(it, it.name) for it in DataType]),
        Schema([ColSpec("double"), ColSpec("long")]),
        Schema([TENSOR, TensorSpec("str", (-1,), "y")]),
        Schema(
            [
                ColSpec(Array(Array("string")), "a", required=False),
                ColSpec(
                    Object([Property("z", "long", False), Property("b", Array(Map("double")))]), ("multi", 1)
                ),
                ColSpec(AnyType(), 3),
            ]
        ),
    ],
)
def test_json_there_and_back(schema: Schema) -> None:
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nope",
        "{}",
        "[]",
        "[1]",
        '[{"type": "complex"}]',
        '[{"type": "array"}]',
        '[{"type": "object", "properties": {}}]',
        '[{"type": "tensor"}]',
        '[{"type": "tensor", "tensor-spec": {"dtype": "quad", "shape": [1]}}]',
        '[{"type": "tensor", "tensor-spec": {"dtype": "int8", "shape": ["a"]}}]',
        "[" * 100_000,
    ],
)
def test_json_that_is_no_schema(text: str) -> None:
    with pytest.raises(StepwellException) as refused:
        Schema.from_json(text)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_depth_has_a_limit() -> None:
    kind: dict[str, Any] = {"type": "long"}
    for _ in range(DEPTH_MAX + 2):
        kind = {"type": "array", "items": kind}
    with pytest.raises(StepwellException, match="nested deeper"):
        Schema.from_json(json.dumps([{**kind, "required": True}]))


def test_older_words_are_read() -> None:
    assert Schema.from_json('[{"type": "long", "name": "a", "optional": true}]') == Schema(
        [ColSpec("long", "a", required=False)]
    )
    params = ParamSchema.from_json('[{"name": "p", "dtype": "long", "default": 1, "shape": null}]')
    assert params.params[0].dtype is DataType.long


def test_a_schema_shows_itself_as_mlflow_does() -> None:
    schema = Schema([ColSpec("double", "a"), ColSpec("string", "b", required=False)])
    assert repr(schema) == "['a': double (required), 'b': string (optional)]"
    assert repr(Schema([TENSOR])) == "['x': Tensor('float32', (-1, 3))]"
    assert schema.required_input_names() == ["a"]
    assert schema.pandas_types() == [np.dtype("float64"), np.dtype("O")]


def test_defaults_of_params_are_of_their_type() -> None:
    assert ParamSpec("d", "double", 1).default == 1.0
    with pytest.raises(StepwellException, match="is not long"):
        ParamSpec("i", "long", "x")
    with pytest.raises(StepwellException, match="Duplicated"):
        ParamSchema([ParamSpec("i", "long", 1), ParamSpec("i", "long", 2)])
