"""Which regular expressions may be searched for: those whose matching takes time in proportion to the text.

PostgreSQL's engine compiles a pattern to an automaton as RE2 does, unless it has back-references, which make the search
for a match exponential, or looks around, which begin a search of their own at each character. Repetitions are copies of
what they repeat, so their number is bounded, too. What is left is what RE2 takes, in PostgreSQL's spelling:
https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS
"""

import re

PATTERN_CHARS_MAX = 1_000
# Characters, classes and groups, each as often as repetitions with bounds copy it.
PATTERN_PARTS_MAX = 2_000

# Letters of options at the beginning; those that change what the rest of the pattern means are not among them.
_OPTIONS = re.compile(r"\(\?[cimnpstw]+\)")
_BOUND = re.compile(r"\{(\d{1,5})(?:,(\d{0,5}))?\}")
# One class: a closing bracket that comes first stands for itself, and [:alpha:], [.x.] and [=x=] may be inside.
_CLASS = re.compile(r"\[\^?+\]?+(?:\\.|\[([.:=]).*?\1\]|[^\]\\])*+\]", re.DOTALL)


def check_pattern(pattern: str) -> None:
    """Check a regular expression.

    Raises:
        ValueError: it is too long, or has what could take for ever; the text says what. What is merely no regular
            expression is for PostgreSQL to tell.
    """
    if len(pattern) > PATTERN_CHARS_MAX:
        raise ValueError(f"the pattern is longer than {PATTERN_CHARS_MAX:,} characters")
    if pattern.startswith("***"):
        raise ValueError("a pattern does not begin with ***; leave that out")
    options = _OPTIONS.match(pattern)
    if _parts(pattern, options.end() if options else 0) > PATTERN_PARTS_MAX:
        raise ValueError(
            f"the repetitions of the pattern come to more than {PATTERN_PARTS_MAX:,} characters; use lower bounds, or *"
        )


def _parts(pattern: str, place: int) -> int:
    """Return how many parts a pattern has when its repetitions are written out."""
    groups = [0]  # parts of each group that is open
    last = 0  # parts of what a repetition that follows would repeat
    while place < len(pattern):
        step, character = 1, pattern[place]
        if bound := _BOUND.match(pattern, place):
            copies = max(1, int(bound[2] or bound[1]))
            groups[-1] += last * (copies - 1)
            step, last = len(bound[0]), last * copies
        elif character == "(":
            step = _opening(pattern, place)
            groups.append(0)
        elif character == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        elif character not in "*+?|^$":
            step, last = _single(pattern, place), 1
            groups[-1] += 1
        place += step
    return sum(groups)


def _opening(pattern: str, place: int) -> int:
    """Return how many characters open a group."""
    if not pattern.startswith("(?", place):
        return 1
    if pattern.startswith("(?:", place):
        return 3
    raise ValueError(
        "a pattern does not look ahead or behind: of groups with a question mark there is (?: alone"
    )


def _single(pattern: str, place: int) -> int:
    """Return how many characters make one: an escape, a class, or the one that is there."""
    if pattern[place] == "\\":
        if pattern[place + 1 : place + 2] in set("123456789"):
            raise ValueError(f"a pattern has no back-references such as {pattern[place : place + 2]}")
        return 2
    found = _CLASS.match(pattern, place)
    return len(found[0]) if found else 1
