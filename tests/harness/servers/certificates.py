"""Certificates for tests: made once a run by what `stepwell certificates make` calls, in folders of their own."""

from dataclasses import dataclass
from pathlib import Path

from stepwell_server.config import TlsFiles
from stepwell_server.process.tls import making


@dataclass(frozen=True)
class CertificateSet:
    """The files in a folder."""

    folder: Path

    @property
    def files(self) -> TlsFiles:
        return TlsFiles(str(self.folder / "server.pem"), str(self.folder / "server-key.pem"))

    @property
    def options(self) -> list[str]:
        """Of `stepwell server`."""
        return ["--tls-cert", self.files.certificate, "--tls-key", self.files.key]

    @property
    def trusting(self) -> dict[str, str]:
        """The environment of a client that believes the server."""
        return {"STEPWELL_TLS_CA": str(self.folder / "ca.pem")}

    @property
    def known(self) -> dict[str, str]:
        """The environment of a client that the server believes, where it asks for certificates."""
        return {
            **self.trusting,
            "STEPWELL_TLS_CLIENT_CERT": str(self.folder / "client.pem"),
            "STEPWELL_TLS_CLIENT_KEY": str(self.folder / "client-key.pem"),
        }


def make_certificates(folder: Path, *hosts: str, days: float = 30) -> CertificateSet:
    """Write a set; without hosts it is for this machine."""
    making.make(folder, hosts or making.own_hosts(), days)
    return CertificateSet(folder)
