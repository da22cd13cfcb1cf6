"""Pages in which web servers list a folder: those of Python's http.server, nginx, Apache and lighttpd."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

# How the title of such a page begins.
_TITLES = re.compile(r"\s*(index of|directory listing for)\b", re.IGNORECASE)


class _Page(HTMLParser):
    """Where a page leads, and what it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


def entries(text: str, url: str) -> Sequence[str] | None:
    """Return the names that a page lists of its folder, those of folders with a slash; None when it lists none.

    Links to elsewhere (the folder above, other orders of the same list) are no names. A name can have any character.
    """
    page = _Page()
    page.feed(text)
    if not _TITLES.match(page.title):
        return None
    folder = urlsplit(url)
    found: dict[str, None] = {}
    for link in page.links:
        parts = urlsplit(urljoin(url, link))
        rest = parts.path.removeprefix(folder.path)
        is_below = parts[:2] == folder[:2] and parts.path.startswith(folder.path)
        if is_below and rest and not parts.query and "/" not in rest.removesuffix("/"):
            found[unquote(rest.removesuffix("/")) + "/" * rest.endswith("/")] = None
    return list(found)
