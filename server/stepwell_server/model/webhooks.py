"""The values of webhooks. Times in milliseconds since the epoch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from stepwell_server.model.alerts import Alert
from stepwell_server.model.registry import ChangeKind, RegistryChange

WEBHOOKS_MAX = 100
WEBHOOK_NAME_CHARS_MAX = 200
WEBHOOK_URL_CHARS_MAX = 2_048
SECRET_CHARS_MIN = 16
SECRET_CHARS_MAX = 200

# A change that could not be delivered is tried again after 5 s, 10 s, 20 s and so on, an hour at most, ten times: over
# almost an hour and a half. Then it is given up, and the next one is tried.
ATTEMPTS_MAX = 10
FIRST_PAUSE_MS = 5_000
PAUSE_MAX_MS = 3_600_000
# Changes that wait for a webhook; of more, the oldest are given up.
WAITING_MAX = 10_000
# Of what went wrong.
ERROR_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where changes are told to, and how that goes. See webhooks.proto."""

    webhook_id: UUID
    name: str
    url: str
    secret: str = field(repr=False)
    kinds: Sequence[ChangeKind]
    model_name: str
    is_active: bool
    delivered: int
    given_up: int
    failed_attempts: int
    last_error: str
    creation_time_ms: int


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What an update sets: all that is not None."""

    name: str | None = None
    url: str | None = None
    secret: str | None = field(default=None, repr=False)
    kinds: Sequence[ChangeKind] | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A change, or an alert, that is due at a webhook, for one process at a time."""

    webhook: Webhook
    event: RegistryChange | Alert


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: the HTTP status (0: no answer) and what was wrong, "" for nothing."""

    status: int
    error: str


def pause_ms(failed_attempts: int) -> int:
    """Return how long to wait after so many attempts in vain."""
    return min(FIRST_PAUSE_MS << (failed_attempts - 1), PAUSE_MAX_MS)
