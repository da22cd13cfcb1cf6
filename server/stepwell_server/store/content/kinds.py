"""The kinds of places that are no folders of this machine: how they are written, what they need, what opens them.

A kind is one line of the table. Its module is imported when a place of the kind is opened first, because what it needs
is installed only where it is wanted.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.store.content.forms import azure_root, bucket_root, scheme_of
from stepwell_server.store.content.sftp.addresses import FORM as FORM_OF_SFTP
from stepwell_server.store.content.sftp.addresses import sftp_root
from stepwell_server.store.ports.artifacts import ContentStore

# Opens the store of a root; its addresses, if it has some, are valid for so many seconds.
Opener = Callable[[str, int], AbstractAsyncContextManager[ContentStore]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of place.

    Args:
        name: what people call it.
        form: how it is written.
        extra: what has to be installed for it, of stepwell.
        root: returns the root of a location; InvalidArgumentError when it is no place of this kind.
        opener: imports and returns what opens a root.
    """

    name: str
    form: str
    extra: str
    root: Callable[[str], str]
    opener: Callable[[], Opener]

    def opened(self, root: str, address_lifetime_s: int) -> AbstractAsyncContextManager[ContentStore]:
        """Return the store of a root, as a context.

        Raises:
            InvalidArgumentError: what it needs is not installed; the message says how it is.
        """
        try:
            opener = self.opener()
        except ModuleNotFoundError as missing:
            raise InvalidArgumentError(
                f"this server has no support for {self.name} ({missing.name} is missing); install it with: "
                f"pip install 'stepwell[{self.extra}]'"
            ) from missing
        return opener(root, address_lifetime_s)


def _s3() -> Opener:
    from stepwell_server.store.content.buckets.s3 import opened

    return opened


def _azure() -> Opener:
    from stepwell_server.store.content.buckets.azure import opened

    return opened


def _google() -> Opener:
    from stepwell_server.store.content.buckets.google import opened

    return opened


def _sftp() -> Opener:
    from stepwell_server.store.content.sftp.store import opened

    return opened


_AZURE = Kind("Azure", "az://container/prefix", "azure", azure_root, _azure)
# By the scheme, as it is written.
KINDS: Mapping[str, Kind] = {
    "s3": Kind("S3", "s3://bucket/prefix", "s3", bucket_root, _s3),
    **dict.fromkeys(("az", "wasb", "wasbs", "abfs", "abfss"), _AZURE),
    "gs": Kind("Google Cloud Storage", "gs://bucket/prefix", "gcs", bucket_root, _google),
    "sftp": Kind("SFTP", FORM_OF_SFTP, "sftp", sftp_root, _sftp),
}
SERVED = ", ".join([*dict.fromkeys(kind.form for kind in KINDS.values()), "file:///folder, or a folder"])


def kind_of(location: str) -> Kind | None:
    """Return the kind of a location or root; None for folders and for what is not served."""
    return KINDS.get(scheme_of(location))
