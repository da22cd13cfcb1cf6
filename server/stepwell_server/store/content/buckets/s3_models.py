"""botocore's descriptions of S3 without their documentation and in usual dicts, to need less memory."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader

ENDPOINTS = "endpoints"
# S3, and what credentials come from.
SERVICES = ("s3", "sts", "oidc", "portal.sso")

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
        return json.loads(text, object_pairs_hook=_without_documentation)


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


def _without_documentation(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A text is documentation; anything else of that name is a field that is described.
    return {key: "" if key == "documentation" and isinstance(value, str) else value for key, value in pairs}
