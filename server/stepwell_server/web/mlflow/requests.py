"""What a request says: its query, or its JSON, with the coercions that MLflow's server allows.

Names may be those of the proto (`run_id`) or their JSON form (`runId`), 64-bit integers and numbers may be texts, null
is the same as nothing, and what is not known is ignored. What has a wrong type is refused, where MLflow's server often
takes the whole message for empty.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import orjson
from starlette.requests import Request

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.web.room import Room, room_of

KEY_HEADER = "idempotency-key"
KEY_CHARS_MAX = 200

JSON_TYPE = "application/json"
SHOWN_CHARS_MAX = 60  # of what was wrong, in a message

INTEGER_CHARS_MAX = 20  # those of the least one

_SCIENTIFIC = re.compile(r"-?[0-9](\.[0-9]+)?e\+?[0-9]{1,2}")
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

Choice = TypeVar("Choice", bound=Enum)


class Message:
    """The fields of a request, or of an object in it; `path` is where that stands, for messages."""

    def __init__(
        self,
        fields: Mapping[str, Any],
        path: str = "",
        *,
        is_query: bool = False,
        key: str = "",
        room: Room | None = None,
    ) -> None:
        self._fields = fields
        self._path = path
        self._is_query = is_query
        self.idempotency_key = key
        self._room = room

    @property
    def room(self) -> Room:
        """What the answer may take; of a whole request."""
        assert self._room is not None
        return self._room

    def find(self, *names: str) -> Any:
        """Return the first of some fields that is there, else None. For those who check the type themselves."""
        for name in names:
            for spelling in (name, _camel(name)):
                value = self._fields.get(spelling)
                if value is not None:
                    return value
        return None

    def text(self, *names: str) -> str | None:
        """Return a text by the first of its names."""
        value = self.find(*names)
        return None if value is None else self._as_text(names[0], value)

    def required_text(self, *names: str) -> str:
        """Return a text that has to be there, and not empty."""
        found = self.text(*names)
        if not found:
            raise self.missing(names[0])
        return found

    def integer(self, name: str) -> int | None:
        """Return a 64-bit integer; digits in a text count, and so does a number without a fraction."""
        value = self.find(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None or not _INT64_MIN <= number <= _INT64_MAX:
            raise self.refused(name, value, "it has to be an integer of 64 bits")
        return number

    def required_integer(self, name: str) -> int:
        """Return an integer that has to be there."""
        number = self.integer(name)
        if number is None:
            raise self.missing(name)
        return number

    def number(self, name: str) -> float:
        """Return a number, which has to be there; as texts there are also NaN, Infinity and -Infinity."""
        value = self.find(name)
        if value is None:
            raise self.missing(name)
        try:
            if isinstance(value, int | float) or (isinstance(value, str) and _is_plain(value)):
                return float(value)
        except (ValueError, OverflowError):
            pass
        raise self.refused(name, value, "it has to be a number, or one of 'NaN', 'Infinity' and '-Infinity'")

    def choice(self, name: str, choices: Mapping[str, Choice]) -> Choice | None:
        """Return one of some values by its name, or by its number (the first one has 1)."""
        value = self.find(name)
        if value is None:
            return None
        if isinstance(value, str) and value in choices:
            return choices[value]
        number = _whole(value)
        if number is not None and 1 <= number <= len(choices):
            return list(choices.values())[number - 1]
        raise self.refused(name, value, f"it has to be one of {', '.join(choices)}")

    def objects(self, name: str) -> Sequence[Any]:
        """Return a list, empty if there is none; the elements are not looked at."""
        value = self.find(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.refused(name, value, "it has to be a list")
        return value

    def messages(self, name: str) -> Iterator["Message"]:
        """Yield the objects of a list."""
        for number, value in enumerate(self.objects(name)):
            yield self.element(name, number, value)

    def element(self, name: str, number: int, value: Any) -> "Message":
        """Return an object of a list."""
        place = f"{name}[{number}]"
        if not isinstance(value, dict):
            raise self.refused(place, value, "it has to be an object")
        return Message(value, f"{self._path}{place}.")

    def message(self, name: str) -> "Message":
        """Return an object, one without fields if it is not there."""
        value = self.find(name)
        if value is not None and not isinstance(value, dict):
            raise self.refused(name, value, "it has to be an object")
        return Message(value or {}, f"{self._path}{name}.")

    def texts(self, *names: str) -> list[str]:
        """Return a list of texts, empty if there is none. A query repeats the name."""
        value = self.find(*names)
        if value is None:
            return []
        if self._is_query and isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            raise self.refused(names[0], value, "it has to be a list")
        return [self._as_text(f"{names[0]}[{number}]", element) for number, element in enumerate(value)]

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Return a list of objects with `key` and `value`; a missing value is empty."""
        return [(it.required_text("key"), it.text("value") or "") for it in self.messages(name)]

    def missing(self, name: str) -> InvalidArgumentError:
        """Return the error of a message that lacks something."""
        return InvalidArgumentError(f"Missing value for required parameter '{self._path}{name}'")

    def refused(self, name: str, value: Any, reason: str) -> InvalidArgumentError:
        """Return the error of a wrong value."""
        return InvalidArgumentError(
            f"Invalid value {_shown(value)} for parameter '{self._path}{name}' supplied: {reason}"
        )

    def _as_text(self, name: str, value: Any) -> str:
        if type(value) is int and name.startswith("experiment_id"):
            value = str(value)  # ids are texts, but numbers are what they look like
        if not isinstance(value, str):
            raise self.refused(name, value, "it has to be a text")
        if "\0" in value:
            raise self.refused(name, value, "a NUL character cannot be stored")
        return value


async def read_message(request: Request) -> Message:
    """Return what a request says: of a GET without a body, and of a DELETE, the query.

    Raises:
        InvalidArgumentError: the body is not a JSON object, or is not said to be JSON.
    """
    key = request.headers.get(KEY_HEADER, "")
    if len(key) > KEY_CHARS_MAX:
        raise InvalidArgumentError(
            f"the header {KEY_HEADER} may have {KEY_CHARS_MAX} characters, not {len(key)}"
        )
    body = b"" if request.method == "GET" and request.query_params else await request.body()
    if not body:
        return Message(_query(request), is_query=True, key=key, room=room_of(request.scope))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON_TYPE:
        raise InvalidArgumentError(
            f"Bad Request. Content-Type must be one of ['{JSON_TYPE}'], not {kind[:60]!r}"
        )
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise InvalidArgumentError(
            f"Bad Request. Content-Encoding {coding[:60]!r} is not taken; send the JSON as it is"
        )
    return Message(parse_object(body), key=key, room=room_of(request.scope))


def parse_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a body; one in a JSON text counts, as do the words NaN and Infinity.

    Raises:
        InvalidArgumentError: it is none.
    """
    try:
        found = _parse(body)
        if isinstance(found, str):
            found = _parse(found.encode())
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise InvalidArgumentError("the body has to be a JSON object")
    return found


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        found = json.loads(body)  # slower, and knows NaN
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        return found


def _query(request: Request) -> dict[str, str | list[str]]:
    fields: dict[str, str | list[str]] = {}
    for name, value in request.query_params.multi_items():
        earlier = fields.get(name)
        if earlier is None:
            fields[name] = value
        elif isinstance(earlier, list):
            earlier.append(value)
        else:
            fields[name] = [earlier, value]
    return fields


def _whole(value: Any) -> int | None:
    """Return the integer that a value is, None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str) and len(value) <= INTEGER_CHARS_MAX:
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit():
            return int(value)
        # R writes 100000 as 1e+05.
        return _whole(float(value)) if _SCIENTIFIC.fullmatch(value) else None
    return None


def _is_plain(text: str) -> bool:
    """Tell whether a text is no number by Python's ways of writing them alone: 1_000, digits of other scripts."""
    return text.isascii() and "_" not in text


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"
