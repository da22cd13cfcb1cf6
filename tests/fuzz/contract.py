"""All calls of the contract, as the generated modules describe them: what is added is fuzzed, too."""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import stepwell_api.v1


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call: its address, the type of its requests, and what streams."""

    path: str
    request: Any
    requests_stream: bool
    responses_stream: bool


def all_rpcs() -> Sequence[Rpc]:
    """Return every call of every service."""
    names = (it.name for it in pkgutil.iter_modules(stepwell_api.v1.__path__) if it.name.endswith("_pb2"))
    files = [importlib.import_module(f"stepwell_api.v1.{name}").DESCRIPTOR for name in sorted(names)]
    return [
        Rpc(
            f"/{service.full_name}/{method.name}",
            method.input_type,
            method.client_streaming,
            method.server_streaming,
        )
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    ]
