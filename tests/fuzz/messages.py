"""Messages by chance: well-formed but odd, or mutated; of any type, as its descriptor says."""

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

DEPTH_MAX = 4
EXTREMES = (0, 1, -1, 2, 10, 1_000, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63))
NUMBERS = (0.0, -0.0, 1.5, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
TEXTS = (
    "",
    "a",
    "loss",
    "\0",
    "a\0b",
    "🌊" * 40,
    "x" * 300,
    "x" * 9_000,
    "../../etc/passwd",
    "/",
    "a/b/c.txt",
    "'; DROP TABLE run; --",
    "%s%n{0}",
    "\u202e\ufeff",
    "s3://bucket/x",
    "m-" + "0" * 32,
    "metrics.loss > 0.5 AND params.a = 'b'",
    "run_id IS NOT NULL",
    "tags.a REGEXP '(a+)+$'",
    "attributes.start_time DESC",
    "metrics.a IN (" + "1," * 2_000 + "1)",
    "(" * 150,
    "WyJhIiwgMV0=",
)
SIGNED = {FieldDescriptor.CPPTYPE_INT32: 2**31, FieldDescriptor.CPPTYPE_INT64: 2**63}
UNSIGNED = {FieldDescriptor.CPPTYPE_UINT32: 2**32, FieldDescriptor.CPPTYPE_UINT64: 2**64}


def _fits(value: Any, field: Any) -> bool:
    """Tell whether a value is of a field's type."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return isinstance(value, str) and field.type != FieldDescriptor.TYPE_BYTES
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return isinstance(value, bool)
    return type(value) is int and field.cpp_type in SIGNED


class Chooser:
    """Chooses from a seed. `known` are values that the server has, by the name of the field."""

    def __init__(self, seed: int, known: dict[str, list[Any]]) -> None:
        self.random = random.Random(seed)
        self.known = known

    def message(self, kind: Any, depth: int = 0) -> Message:
        """Return a message of a type, by its descriptor."""
        message = GetMessageClass(kind)()
        taken: set[str] = set()
        for field in kind.fields:
            group = field.containing_oneof
            if (group is not None and group.name in taken) or self.random.random() > 0.6:
                continue
            if group is not None:
                taken.add(group.name)
            self._fill(message, field, depth)
        return message

    def _fill(self, message: Message, field: Any, depth: int) -> None:
        if not field.is_repeated:
            if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                if depth < DEPTH_MAX:
                    getattr(message, field.name).CopyFrom(self.message(field.message_type, depth + 1))
                    getattr(message, field.name).SetInParent()
            else:
                setattr(message, field.name, self.value(field))
            return
        count = self.random.choice((0, 1, 1, 2, 3, 20))
        target = getattr(message, field.name)
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            if field.message_type.GetOptions().map_entry:
                return
            if depth < DEPTH_MAX:
                target.extend(self.message(field.message_type, depth + 1) for _ in range(count))
            return
        if self.random.random() < 0.01:
            count = 20_000
        values = [self.value(field) for _ in range(min(count, 20))]
        target.extend(values[place % len(values)] for place in range(count) if values)

    def value(self, field: Any) -> Any:
        """Return a value for a field; often one that the server knows."""
        named = self.known.get(field.name) or self.known.get(field.name.removesuffix("s")) or ()
        known = [value for value in named if _fits(value, field)]
        if known and self.random.random() < 0.8:
            return self.random.choice(known)
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return self.random.randbytes(self.random.choice((0, 1, 16, 32, 33, 5_000)))
            case FieldDescriptor.CPPTYPE_STRING:
                return self.random.choice(TEXTS)
            case FieldDescriptor.CPPTYPE_BOOL:
                return self.random.random() < 0.5
            case FieldDescriptor.CPPTYPE_ENUM:
                return self.random.choice([*(it.number for it in field.enum_type.values), 99, -1])
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return self.random.choice(NUMBERS)
        number = self.random.choice(EXTREMES)
        if field.cpp_type in SIGNED:
            limit = SIGNED[field.cpp_type]
            return min(max(number, -limit), limit - 1)
        return min(abs(number), UNSIGNED[field.cpp_type] - 1)

    def encoded(self, kind: Any) -> bytes:
        """Return an encoded message, of which one in five is damaged."""
        data = self.message(kind).SerializeToString()
        return self.mutated(data) if self.random.random() < 0.2 else data

    def mutated(self, data: bytes) -> bytes:
        """Return damaged bytes."""
        damaged = bytearray(data)
        for _ in range(self.random.randrange(1, 5)):
            match self.random.randrange(4):
                case 0 if damaged:
                    damaged[self.random.randrange(len(damaged))] ^= 1 << self.random.randrange(8)
                case 1 if damaged:
                    del damaged[self.random.randrange(len(damaged)) :]
                case 2:
                    place = self.random.randrange(len(damaged) + 1)
                    damaged[place:place] = self.random.randbytes(self.random.randrange(1, 9))
                case _:
                    damaged += damaged[: self.random.randrange(64)]
        return bytes(damaged)
