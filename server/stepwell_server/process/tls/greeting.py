"""TLS of the HTTP door: each connection is greeted by the newest context, and one that fails is told why.

An asyncio loop hangs up when a greeting fails, without sending what TLS has to say of it.
"""

import json
import ssl
from typing import Any

_TEXT = json.dumps({"error_code": "BAD_REQUEST", "message": "this port speaks TLS: use https://"}).encode()
TO_PLAIN_HTTP = (
    b"HTTP/1.1 400 \r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
    % (len(_TEXT), _TEXT)
)


class Greeting(ssl.SSLObject):
    """One connection. A failure is raised when its reason is on the way: until then more seems to be needed."""

    outgoing: ssl.MemoryBIO
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """See `ssl.SSLObject`."""
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as failure:
            self._failure = failure
            if failure.reason == "HTTP_REQUEST":
                self.outgoing.write(TO_PLAIN_HTTP)
            raise ssl.SSLWantReadError from failure


class NewestContext(ssl.SSLContext):
    """Lets each new connection have the newest context; those that are open keep theirs."""

    newest: ssl.SSLContext

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **keywords: Any
    ) -> ssl.SSLObject:
        """See `ssl.SSLContext`; this is the one method that a loop calls."""
        self.newest.sslobject_class = Greeting
        made = self.newest.wrap_bio(incoming, outgoing, *arguments, **keywords)
        assert isinstance(made, Greeting)
        made.outgoing = outgoing
        return made
