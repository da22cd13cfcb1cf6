"""What an import or an export leaves behind, and why: it is told at the end."""

from dataclasses import dataclass, field

# Reasons that are kept, and characters of one; everything is counted.
REASONS_MAX = 1_000
REASON_CHARS_MAX = 1_000


@dataclass(slots=True)
class Left:
    """What was left behind so far: how much, and why (the first REASONS_MAX reasons)."""

    count: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int = 1) -> None:
        """Take note of something; the reason says which, where and why."""
        self.count += count
        if len(self.reasons) < REASONS_MAX:
            self.reasons.append(shown(reason))


def shown(text: str) -> str:
    """Return a text without what a terminal obeys or cannot show, names that are no Unicode among them."""
    cut = text if len(text) <= REASON_CHARS_MAX else f"{text[:REASON_CHARS_MAX]}..."
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in cut)
