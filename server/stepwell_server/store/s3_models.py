"""botocore's descriptions of S3 without their documentation and in usual dicts, to need less memory."""

import gzip
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader

ENDPOINTS = "endpoints"
# S3, and what credentials come from.
SERVICES = ("s3", "sts", "oidc", "portal.sso")


class LeanFileLoader(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Loads a file of descriptions, given without its suffix; None when there is none."""

    def load_file(self, file_path: str) -> Any:
        """See `botocore.loaders.JSONFileLoader`."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            text = plain.read_bytes()
        elif packed.is_file():
            text = gzip.decompress(packed.read_bytes())
        else:
            return None
        loaded = json.loads(text, object_pairs_hook=_without_documentation)
        return _of_s3(loaded) if plain.stem == ENDPOINTS else loaded


def _of_s3(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Leave out the addresses of hundreds of other services."""
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in SERVICES if name in services}
    return endpoints


def _without_documentation(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A text is documentation; anything else of that name is a field that is described.
    return {key: "" if key == "documentation" and isinstance(value, str) else value for key, value in pairs}
