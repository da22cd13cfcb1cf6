"""TensorBoard's messages as far as they are needed, without TensorBoard: their fields' numbers, names and types.

They are made in a pool of their own, so that they never meet those of TensorBoard or TensorFlow in one process. See
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto, summary.proto, tensor.proto
and https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/hparams/plugin_data.proto and api.proto.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "stepwell.tensorboard"
# Texts are bytes here: what is no UTF-8 then costs one value and not its whole record.
_MESSAGES = {
    "Event": "1 double wall_time, 2 int64 step, 4 bytes graph_def, 5 Summary summary, 7 SessionLog session_log",
    "SessionLog": "1 int32 status",
    "Summary": "1* Value value",
    "Value": (
        "1 bytes tag, 2 float simple_value, 3 bytes histogram, 4 bytes image, 5 bytes histo, 6 bytes audio, "
        "8 Tensor tensor, 9 Metadata metadata"
    ),
    "Metadata": "1 Plugin plugin_data",
    "Plugin": "1 bytes plugin_name, 2 bytes content",
    "Tensor": "1 int32 dtype, 4 bytes tensor_content, 5* float float_val, 6* double double_val",
    # What the plugin for hyperparameters writes.
    "HParams": "3 SessionStart session_start_info, 4 SessionEnd session_end_info",
    "SessionStart": "1* HParam hparams",
    "HParam": "1 string key, 2 HParamValue value",
    "HParamValue": "1 int32 null_value, 2 double number_value, 3 string string_value, 4 bool bool_value, "
    "5 bytes struct_value, 6 bytes list_value",
    "SessionEnd": "1 int32 status, 2 double end_time_secs",
}


@cache
def message_class(name: str) -> Any:
    """Return the class of a message, whose fields all tell whether they are there (HasField)."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="stepwell/tensorboard.proto", package=_PACKAGE)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            number, kind, field_name = field.split(" ")
            _add(message, number, kind, field_name)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add(message: descriptor_pb2.DescriptorProto, number: str, kind: str, name: str) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=int(number.removesuffix("*")))
    field.label = kinds.LABEL_REPEATED if number.endswith("*") else kinds.LABEL_OPTIONAL
    if kind in _MESSAGES:
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
