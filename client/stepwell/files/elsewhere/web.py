"""Files of the web, by https:// and http:// addresses that a user names, and folders that a server lists.

Redirections are followed at the same server alone. A file that was cut goes on where it was, if the server says which
version of it it sends (ETag, Last-Modified) and gives parts; else it begins anew.
"""

import http.client
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from stepwell.errors import StepwellException, invalid
from stepwell.files import paths
from stepwell.files.elsewhere import listings
from stepwell.files.elsewhere.allowance import Allowance
from stepwell.files.elsewhere.sites import Site, failure, may_pass, shown
from stepwell.files.uploads import Attempts

# Of the page of a folder: some 100,000 names.
LISTING_BYTES_MAX = 32 << 20
# Folders in each other: a server that follows links may show a folder in itself.
DEPTH_MAX = 32
_PIECE_BYTES = 1 << 20


def fetch(uri: str, folder: Path, allowance: Allowance) -> Path:
    """Fetch a file, or all that a server lists below an address, into a local folder that is there.

    Each file comes whole or not at all.

    Returns:
        Where the file or folder is now.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST, PERMISSION_DENIED, UNAUTHENTICATED, TEMPORARILY_UNAVAILABLE,
            RESOURCE_EXHAUSTED.
    """
    parts = urlsplit(uri)
    site = Site(parts)
    name = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.hostname or ""
    return _Fetching(site, allowance).fetch(site.url, folder, name)


class _Fetching:
    def __init__(self, site: Site, allowance: Allowance) -> None:
        self._site = site
        self._allowance = allowance

    def fetch(self, url: str, folder: Path, name: str) -> Path:
        """Fetch what an address gives: a file, or a folder if it is the page of one."""
        download = _Download(self._site, url, self._allowance)
        download.begin()
        page = download.page()
        names = listings.entries(page.decode(errors="replace"), download.url) if page else None
        if names is not None:
            target = _folder_below(folder, name)
            self._folder(download.url, names, target, DEPTH_MAX)
            return target
        target = paths.target_below(folder, name)
        with paths.part_of(target) as file:
            download.into(file, page)
        return target

    def _folder(self, url: str, names: Sequence[str], target: Path, depth: int) -> None:
        if not depth:
            raise invalid(
                f"{shown(url)} has folders in folders, more than {DEPTH_MAX} deep; name one of them."
            )
        target.mkdir(exist_ok=True)
        for name in names:
            plain = name.removesuffix("/")
            if "/" in plain:
                raise invalid(f"{shown(url)} lists {plain!r}, which is no name of a file.")
            below = paths.target_below(target, plain) if plain == name else _folder_below(target, plain)
            download = _Download(
                self._site, f"{url}{quote(plain, safe='')}{name[len(plain) :]}", self._allowance
            )
            download.begin()
            if plain == name:
                with paths.part_of(below) as file:
                    download.into(file)
                continue
            inner = listings.entries(download.page().decode(errors="replace"), download.url)
            if inner is None:
                raise invalid(
                    f"{shown(download.url)} shows a page of its own, and not what is in the folder; name its files."
                )
            self._folder(download.url, inner, below, depth - 1)


def _folder_below(folder: Path, name: str) -> Path:
    return paths.target_below(folder, f"{name}/any").parent


class _Download:
    """One address on its way; `url` is where it led to."""

    def __init__(self, site: Site, url: str, allowance: Allowance) -> None:
        self.url = url
        self._site = site
        self._allowance = allowance
        self._attempts = Attempts()

    def begin(self) -> None:
        """Ask for it. Servers that are busy are asked again."""
        self._allowance.file()
        self._take(self._asked({}))

    def _take(self, answer: http.client.HTTPResponse) -> None:
        """Begin with the first byte of an answer."""
        self._answer = answer
        self.url = answer.geturl()
        length = answer.headers.get("Content-Length") or ""
        self._length = int(length) if length.isdecimal() else None
        tag, changed = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        self._version = tag if tag and not tag.startswith("W/") else changed
        self._allowance.announced(self._length or 0)

    def page(self) -> bytes:
        """Return what came, if it may be the page of a folder; b"" if not."""
        kind = self._answer.headers.get_content_type()
        if kind != "text/html" or not urlsplit(self.url).path.endswith("/"):
            return b""
        try:
            with closing(self._answer):
                page = self._answer.read(LISTING_BYTES_MAX + 1)
        except (OSError, http.client.HTTPException) as error:
            raise failure(self.url, error) from error
        if len(page) > LISTING_BYTES_MAX:
            raise invalid(
                f"{shown(self.url)} is a page of more than {LISTING_BYTES_MAX:,} bytes; name a part of it."
            )
        return page

    def into(self, file: BinaryIO, page: bytes = b"") -> None:
        """Write all of it to a file; `page` is all of it if it came already."""
        if page:
            file.write(page)
            return
        while True:
            try:
                with closing(self._answer):
                    self._receive(file)
                return
            except (OSError, http.client.HTTPException) as cut:
                self._attempts.failed(failure(self.url, cut), reached=file.tell())
                self._go_on(file)

    def _receive(self, file: BinaryIO) -> None:
        while piece := self._answer.read(_PIECE_BYTES):
            self._allowance.add(len(piece))
            file.write(piece)
        if self._length is not None and file.tell() != self._length:
            raise http.client.IncompleteRead(b"", self._length - file.tell())

    def _go_on(self, file: BinaryIO) -> None:
        """Ask for the rest, or for all of it where the rest is not to be had."""
        held = file.tell()
        wanted = {"Range": f"bytes={held}-", "If-Range": self._version} if held and self._version else {}
        answer = self._asked(wanted, file)
        begins = answer.headers.get("Content-Range", "").startswith(f"bytes {held}-")
        if answer.status == http.client.PARTIAL_CONTENT and begins:
            self._answer = answer
            return
        if answer.status == http.client.PARTIAL_CONTENT:  # another part
            answer.close()
            answer = self._asked({}, file)
        self._allowance.add(-held)
        file.seek(0)
        file.truncate()
        self._take(answer)

    def _asked(self, headers: dict[str, str], file: BinaryIO | None = None) -> http.client.HTTPResponse:
        while True:
            try:
                return self._site.get(self.url, headers)
            except StepwellException as refusal:
                # Who cannot be reached at all is told so at once.
                if file is None and not may_pass(refusal.__cause__):
                    raise
                self._attempts.failed(refusal, reached=file.tell() if file else 0)
