"""What is wrong with a filter, where, and what would be right."""

from collections.abc import Iterable

from stepwell_server.errors import InvalidArgumentError

# Characters shown on each side of the one that is wrong.
EXCERPT_CHARS = 30

# The words for terminals of the grammar, in the order in which they are shown.
_WORDS = {
    "QUALIFIED": "a field such as metrics.loss",
    "NAME": "an attribute such as start_time",
    "FUNCTION": "a function such as min(metrics.loss)",
    "COMPARATOR": "a comparison (= != < <= > >=)",
    "IN": "IN",
    "BETWEEN": "BETWEEN",
    "LIKE": "LIKE",
    "ILIKE": "ILIKE",
    "REGEXP": "REGEXP",
    "ESCAPE": "ESCAPE",
    "IS": "IS [NOT] NULL",
    "NULL": "NULL",
    "NUMBER": "a number",
    "STRING": "a text in quotes",
    "_AND": "AND",
    "_OR": "OR",
    "NOT": "NOT",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "ASC": "ASC",
    "DESC": "DESC",
    "$END": "the end",
}

_QUOTES = ("'", '"', "`")
# Signs of other languages, with the terminal of the word that stands for them here.
_SIGNS = {"&&": "_AND", "&": "_AND", "||": "_OR", "|": "_OR"}


def problem(text: str, position: int, reason: str) -> InvalidArgumentError:
    """Return the error for what is wrong at a character (from 0) of a text, with a line that points at it."""
    start = max(0, position - EXCERPT_CHARS)
    excerpt = "".join(
        character if character.isprintable() else " " for character in text[start : position + EXCERPT_CHARS]
    )
    shown, caret = f"...{excerpt}" if start else excerpt, " " * (position - start + (3 if start else 0))
    return InvalidArgumentError(f"{reason} (character {position + 1}):\n{shown}\n{caret}^")


def unexpected(text: str, position: int, expected: Iterable[str]) -> InvalidArgumentError:
    """Return the error for a character that cannot stand where it does; `expected` are terminals of the grammar."""
    if text[position : position + 1] == "." and text[position + 1 : position + 2] in _QUOTES:
        position += 1
    quote = text[position : position + 1]
    if quote in _QUOTES and quote not in text[position + 1 :]:
        return problem(text, position, "the quote that begins here is not closed")
    if quote == "'" and text[position - 1 : position] == ".":
        return problem(text, position, "keys stand in backticks or double quotes")
    if text[position : position + 1] == ".":
        return problem(
            text, position, "what has a dot begins with metrics, params, tags, attributes or datasets"
        )
    wanted = set(expected)
    for sign, terminal in _SIGNS.items():
        if text.startswith(sign, position) and terminal in wanted:
            return problem(text, position, f"use {_WORDS[terminal]} instead of {sign}")
    if "QUALIFIED" in wanted:
        wanted -= {"STRING", "BACKTICKED"}  # quoted names of attributes: possible, but nobody means them
    words = [word for terminal, word in _WORDS.items() if terminal in wanted]
    found = "ends too early" if position >= len(text) else f"has an unexpected {text[position]!r}"
    return problem(text, position, f"the search {found}; expected {_listed(words)}")


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"
