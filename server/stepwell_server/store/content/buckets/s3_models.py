"""botocore's descriptions without their documentation and in usual dicts, of S3 what is called, to need less memory."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader

ENDPOINTS = "endpoints"
# S3, and what credentials come from.
SERVICES = ("s3", "sts", "oidc", "portal.sso")
# Of the hundred operations of S3: ours, and two that the library calls by itself (of other regions, of S3 Express).
S3_OPERATIONS = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "CreateSession",
        "DeleteObject",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListMultipartUploads",
        "ListParts",
        "PutObject",
        "UploadPart",
    }
)

_SERVICES_BEGIN = re.compile(r'"services"\s*:\s*\{')
_MEMBER_BEGIN = re.compile(r'[\s,]*"(?P<name>[^"\\]*)"\s*:\s*')
_DECODER = json.JSONDecoder()


class LeanFileLoader(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Loads a file of descriptions, given without its suffix; None when there is none."""

    def load_file(self, file_path: str) -> Any:
        """See `botocore.loaders.JSONFileLoader`."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            text = plain.read_text("utf-8")
        elif packed.is_file():
            text = gzip.decompress(packed.read_bytes()).decode()
        else:
            return None
        if plain.stem == ENDPOINTS:
            text = "".join(_of_s3(text))
        described = json.loads(text, object_pairs_hook=_without_documentation)
        is_of_s3 = plain.name == "service-2.json" and plain.parent.parent.name == "s3"
        return _of_operations(described, S3_OPERATIONS) if is_of_s3 else described


def _of_s3(endpoints: str) -> Iterator[str]:
    """Leave out the addresses of hundreds of other services, one by one: all at once take 7 MB for a moment."""
    end = 0
    for services in _SERVICES_BEGIN.finditer(endpoints):
        if services.start() < end:
            continue  # inside of what is left out
        yield endpoints[end : services.end()]
        end = services.end()
        kept = []
        while member := _MEMBER_BEGIN.match(endpoints, end):
            _, end = _DECODER.raw_decode(endpoints, member.end())
            if member["name"] in SERVICES:
                kept.append(f'"{member["name"]}":{endpoints[member.end() : end]}')
        yield ",".join(kept)
    yield endpoints[end:]


def _of_operations(service: Mapping[str, Any], names: frozenset[str]) -> Mapping[str, Any]:
    """Return a service with these operations alone, and the shapes that they and their parts have."""
    operations = {name: each for name, each in service["operations"].items() if name in names}
    shapes: dict[str, Any] = {}
    waiting = list(_named_shapes(operations))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = service["shapes"][name]
            waiting += _named_shapes(shapes[name])
    return {**service, "operations": operations, "shapes": shapes}


def _named_shapes(described: Any) -> Iterator[str]:
    for key, value in described.items() if isinstance(described, dict) else ():
        if key == "shape" and isinstance(value, str):
            yield value
        for each in value if isinstance(value, list) else (value,):
            yield from _named_shapes(each)


def _without_documentation(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A text is documentation; anything else of that name is a field that is described.
    return {key: "" if key == "documentation" and isinstance(value, str) else value for key, value in pairs}
