"""Every method of the contract, and a request for each that names what there is: made from the descriptors."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

import stepwell_api.v1

DEPTH_MAX = 4
NESTED = FieldDescriptor.TYPE_MESSAGE


def methods() -> Iterator[MethodDescriptor]:
    """Yield all methods of all services of the contract."""
    for module in pkgutil.iter_modules(stepwell_api.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"stepwell_api.v1.{module.name}").DESCRIPTOR
            for service in file.services_by_name.values():
                yield from service.methods


def path_of(method: MethodDescriptor) -> str:
    """Return the address of a method."""
    return f"/{method.containing_service.full_name}/{method.name}"


def request_for(method: MethodDescriptor, values: Mapping[str, Any]) -> Any:
    """Return a request whose fields have the values of their names: of "Message.field", or of "field"."""
    return _filled(method.input_type, values, DEPTH_MAX)


def _filled(descriptor: Descriptor, values: Mapping[str, Any], depth: int) -> Any:
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        value = values.get(f"{descriptor.name}.{field.name}", values.get(field.name))
        if field.type == NESTED and not field.message_type.GetOptions().map_entry and depth and value != "":
            nested = _filled(field.message_type, values, depth - 1)
            if field.is_repeated:
                getattr(message, field.name).append(nested)
            elif nested.ByteSize() or value is True:
                getattr(message, field.name).CopyFrom(nested)
        elif field.type != NESTED:
            fitting = [
                _as(field, it) for it in (value if isinstance(value, list) else [value]) if _fits(field, it)
            ]
            if field.is_repeated:
                getattr(message, field.name).extend(fitting)
            elif fitting:
                setattr(message, field.name, fitting[0])
    return message


def _fits(field: FieldDescriptor, value: Any) -> bool:
    is_text = field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
    return value is not None and (is_text or not isinstance(value, str))


def _as(field: FieldDescriptor, value: Any) -> Any:
    text = str(value)
    return {FieldDescriptor.TYPE_STRING: text, FieldDescriptor.TYPE_BYTES: text.encode()}.get(
        field.type, value
    )


@dataclass(frozen=True)
class Outcome:
    """How a call went: its status, and all that it was told, encoded."""

    status: grpc.StatusCode
    details: str
    told: bytes


async def outcome(channel: grpc.aio.Channel, method: MethodDescriptor, request: Any) -> Outcome:
    """Make a call; of a stream of answers, until it ends or nothing comes for a moment."""
    answer_type = message_factory.GetMessageClass(method.output_type)
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    make = getattr(channel, kind)(path_of(method), type(request).SerializeToString, answer_type.FromString)
    call = make(iter([request]) if method.client_streaming else request, timeout=10)
    try:
        if method.server_streaming:
            told = b""
            async for answer in call:
                told += answer.SerializeToString()
        else:
            told = (await call).SerializeToString()
    except grpc.aio.AioRpcError as error:
        return Outcome(error.code(), error.details() or "", b"")
    return Outcome(grpc.StatusCode.OK, "", told)
