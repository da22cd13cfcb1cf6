"""Artifacts that a server of MLflow serves over HTTP, for stores whose runs name addresses there.

GET <server>/api/2.0/mlflow-artifacts/artifacts?path=<folder> lists a folder, .../artifacts/<path> gives a file. Only
the server that the user named is asked: a store may name any address.
"""

import urllib.parse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stepwell.errors import invalid
from stepwell.transfer.artifact_sources import ServerArtifacts
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.calls import MlflowCalls, without_password
from stepwell.transfer.sources import ArtifactFiles

ENDPOINT = "api/2.0/mlflow-artifacts/artifacts"


class ArtifactServer:
    """What is behind mlflow-artifacts:/ and behind http(s):// addresses of one server; it is only read."""

    def __init__(self, address: str) -> None:
        """`address` is that of the server, with or without ENDPOINT.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when it is none.
        """
        base = address.rstrip("/").removesuffix(f"/{ENDPOINT}")
        parts = urllib.parse.urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise invalid(f"{without_password(address)!r} is no address of a server; use https://host:port.")
        self._calls = MlflowCalls(base)
        self._below = f"{without_password(base)}/{ENDPOINT}/"

    def path_of(self, uri: str) -> str | None:
        """Return where on the server the artifacts of a URI are; None when they are elsewhere."""
        parts = urllib.parse.urlsplit(uri)
        if parts.scheme == "mlflow-artifacts":
            path = parts.path
        elif without_password(uri).startswith(self._below):
            path = without_password(uri).removeprefix(self._below)
        else:
            return None
        plain = urllib.parse.unquote(path).strip("/")
        return None if {"", ".", ".."} & set(plain.split("/")) else plain

    def files(self, path: str, whose: str, left: Left) -> ArtifactFiles:
        """Return the artifacts below a path; `whose` says in the reasons which run it is about."""
        return ServerArtifacts(whose, partial(self._listed, path), partial(self._fetch, path), left)

    def _listed(self, around: str, request: Mapping[str, str]) -> Mapping[str, Any]:
        folder = request.get("path", "")
        query = urllib.parse.urlencode({"path": f"{around}/{folder}".rstrip("/")}, errors="surrogatepass")
        answer = self._calls.get(f"{ENDPOINT}?{query}")
        # Names alone, where the calls of runs give whole paths.
        named = [{**it, "path": f"{folder}/{it['path']}".lstrip("/")} for it in answer.get("files", ())]
        return {**answer, "files": named}

    def _fetch(self, around: str, path: str, file: Path) -> None:
        whole = urllib.parse.quote(f"{around}/{path}", errors="surrogatepass")
        self._calls.fetch_file(f"{ENDPOINT}/{whole}", file)
