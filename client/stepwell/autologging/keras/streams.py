"""Data that comes batch by batch, from tf.data: described by what it says of itself, without reading any of it."""

import hashlib
import json
from typing import Any

from stepwell import data
from stepwell.autologging.calls import LoggedCall
from stepwell.delivery import record

DIGEST_CHARS = 8


def is_stream(given: Any) -> bool:
    """Tell a tf.data.Dataset."""
    return hasattr(given, "element_spec") and hasattr(given, "cardinality")


def log_used(call: LoggedCall, stream: Any, context: str = "train") -> None:
    """Note a stream that a call trained on, or evaluated with: its tensors by place or name, its batches."""
    spec = stream.element_spec
    tensors = (
        spec if isinstance(spec, dict) else dict(enumerate(spec if isinstance(spec, tuple) else (spec,)))
    )
    described = [
        {
            "type": "tensor",
            "name": str(name),
            "tensor-spec": {
                "dtype": tensor.dtype.name,
                "shape": [-1 if side is None else int(side) for side in tensor.shape],
            },
        }
        for name, tensor in tensors.items()
        if hasattr(tensor, "dtype")  # else it is made of several
    ]
    schema = data.schema_of_tensors(described, None)
    profile = json.dumps({"features_cardinality": int(stream.cardinality())})
    digest = hashlib.sha256(f"{schema} {profile}".encode()).hexdigest()[:DIGEST_CHARS]
    found = data.described("dataset", digest, schema, profile)
    record.log_inputs(call.writer, [data.to_input(found, context, None)])
