"""A real OpenID Connect provider (oidc-provider-mock) in a process of its own: signs whoever a form names in."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx2

from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ANSWER_TIMEOUT_S

READY = re.compile(r"running on http", re.IGNORECASE)
STOP_S = 10.0


@dataclass(frozen=True)
class Provider:
    """Where it is: its issuer."""

    issuer: str

    def set_user(self, subject: str, **claims: object) -> None:
        """Say what the provider knows of somebody."""
        address = f"{self.issuer}/users/{quote(subject)}"
        httpx2.put(address, json=claims, timeout=ANSWER_TIMEOUT_S).raise_for_status()

    def sign_in(self, address: str, subject: str) -> str:
        """Let somebody sign in at `address`, where the browser was sent; return where it is sent back to."""
        return self._answer(address, sub=subject)

    def deny(self, address: str) -> str:
        """Press the other button of its form."""
        return self._answer(address, action="deny")

    def _answer(self, address: str, **form: str) -> str:
        answer = httpx2.post(address, data=form, timeout=ANSWER_TIMEOUT_S)
        assert answer.status_code == 302, answer.text[:500]
        return answer.headers["location"]


@contextmanager
def openid_provider(port: int = 0) -> Iterator[Provider]:
    """Run a provider while the context lasts."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONWARNINGS": "ignore"},
    )
    try:
        said = iter(process.stderr.readline, "")
        assert any(READY.search(line) for line in said), "the provider ended"
        yield Provider(f"http://localhost:{port}")
    finally:
        process.terminate()
        process.wait(STOP_S)
        process.stderr.close()
