"""The certificate that a server shows now. Files that change are taken within seconds; what is connected stays so."""

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stepwell_server.config import TlsFiles, url_host
from stepwell_server.errors import StartupError
from stepwell_server.process.logger import get_logger
from stepwell_server.process.rounds import Rounds
from stepwell_server.process.telemetry import TLS_EXPIRES
from stepwell_server.process.tls.certificates import Certificate, load
from stepwell_server.process.tls.greeting import NewestContext

# How often the files are looked at. What changed is loaded when it stays the same from one look to the next, because
# certificate and key are two files.
LOOK_S = 1.0
# An end that is so near is warned of, once a day.
EXPIRES_SOON = timedelta(days=14)
WARN_AGAIN_S = 24 * 3_600.0

log = get_logger(__name__)


class Identity(Rounds):
    """Shows a certificate while the context lasts. Raises StartupError, at first alone: later the old files go on."""

    name = "look at the TLS files"

    def __init__(self, files: TlsFiles) -> None:
        super().__init__(LOOK_S)
        self._files = files
        self._loaded_stamp = self._seen_stamp = _stamp(files)
        self._warned_s = -WARN_AGAIN_S
        self.context = NewestContext(ssl.PROTOCOL_TLS_SERVER)
        self._take(load(files))

    @property
    def certificate(self) -> Certificate:
        """What is shown now."""
        return self._certificate

    def host_to_tell(self, host: str) -> str:
        """Return a name for a server that listens on `host`: one for which this certificate is, if there is any."""
        reachable = url_host(host)
        names = [name for name in self._certificate.names if not name.startswith("*.")]
        return reachable if self._certificate.covers(reachable) or not names else url_host(names[0])

    async def round(self) -> None:
        """Look at the files."""
        self._warn_of_end()
        stamp = _stamp(self._files)
        settled, self._seen_stamp = stamp == self._seen_stamp, stamp
        if settled and stamp != self._loaded_stamp:
            self._loaded_stamp = stamp
            try:
                self._take(await asyncio.to_thread(load, self._files))
            except StartupError as error:
                log.error("the new TLS files are not used; the certificate before goes on", reason=str(error))

    def _take(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self.context.newest = certificate.context
        TLS_EXPIRES.set(certificate.expires.timestamp())
        log.info("certificate loaded", names=certificate.names, expires=certificate.expires.isoformat())
        if not certificate.names:
            log.warning("the certificate names no host (subjectAltName); clients will not believe it")

    def _warn_of_end(self) -> None:
        left = self._certificate.expires - datetime.now(UTC)
        if left < EXPIRES_SOON and time.monotonic() - self._warned_s >= WARN_AGAIN_S:
            self._warned_s = time.monotonic()
            log.warning("the certificate expires soon", expires=self._certificate.expires.isoformat())


def _stamp(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    """Return what differs when a file changed; links are followed, as secrets of containers are links."""
    return tuple(
        _stamp_of(path) for path in (files.certificate, files.key, files.client_ca) if path is not None
    )


def _stamp_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
