"""What accounts and groups may be called: no two look alike, as who grants something would take one for the other."""

import re
import unicodedata

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import TOKEN_PREFIX

# It stands in commands, in the header of Basic (so no colon), and in tables.
_NAME = re.compile(r"[\w.@+-]+(?: [\w.@+-]+)*")
# Alphabets that are written together.
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})


def check_name(what: str, name: str, chars_max: int) -> None:
    """Check the name of an account or a group. Raises InvalidArgumentError."""
    if len(name) > chars_max or not _NAME.fullmatch(name) or name.startswith(TOKEN_PREFIX):
        raise InvalidArgumentError(
            f"{name[:60]!r} cannot be the name of {what}: it has 1 to {chars_max} letters, digits, single spaces "
            f"between them and . _ @ + -, and does not begin with {TOKEN_PREFIX!r}"
        )
    if unicodedata.normalize("NFKC", name) != name:
        plain = unicodedata.normalize("NFKC", name)
        raise InvalidArgumentError(
            f"{name[:60]!r} cannot be the name of {what}: it has characters that only look like others; "
            f"write {plain[:60]!r}"
        )
    alphabets = _alphabets(name)
    if len(alphabets) > 1:
        raise InvalidArgumentError(
            f"{name[:60]!r} cannot be the name of {what}: its letters are of several alphabets "
            f"({', '.join(sorted(alphabets)).lower()}), and could be taken for others; use one"
        )


def alike(name: str) -> str:
    """Return what all names have in common that would be taken for this one."""
    return unicodedata.normalize("NFKC", name).casefold()


def _alphabets(name: str) -> set[str]:
    """Return the first words of the letters' Unicode names, which are those of their alphabets."""
    found = {unicodedata.name(char, "UNKNOWN").partition(" ")[0] for char in name if char.isalpha()}
    return (found - _EAST_ASIAN) | ({"CJK"} if found & _EAST_ASIAN else set())
