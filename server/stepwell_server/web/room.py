"""What the answer to one request takes of the server's budget, from when it is put together until it is sent."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stepwell_server.process.holding import HTTP_PEER, Held, Holding

# Of each answer: not counted, as most have no more; and counted at a time.
FREE_ANSWER_BYTES = 64 * 2**10
ANSWER_BLOCK_BYTES = 2**20

# Answers in pieces, such as files, have a share of their own: who reads many slowly does not keep others from the page.
STREAMS_PEER = "http streams"

_ROOM = "stepwell.room"


class Room:
    """Grows with an answer; `give_back` ends it."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._held: list[Held] = []
        self._size = FREE_ANSWER_BYTES

    async def grow_to(self, size: int, *, in_hand: bool = True, streams: bool = False) -> None:
        """Hold so many bytes in all; waits for what is missing. Raises ExhaustedError.

        `in_hand` says that they are in memory already, `streams` that they may be for long.
        """
        missing = size - self._size
        if missing > 0:
            block, peer = max(missing, ANSWER_BLOCK_BYTES), STREAMS_PEER if streams else HTTP_PEER
            self._held.append(await self._holding.take(peer, block, in_hand=block if in_hand else 0))
            self._size += block

    def give_back(self) -> None:
        """Hold nothing more."""
        for held in self._held:
            held.give_back()
        self._held.clear()
        self._size = FREE_ANSWER_BYTES


def room_of(scope: Scope) -> Room:
    """Return the room of a request."""
    room: Room = scope[_ROOM]
    return room


class Answers:
    """Counts answers. One without room is refused before anything of it is sent, which is why its head waits."""

    def __init__(self, app: ASGIApp, holding: Holding) -> None:
        self._app = app
        self._holding = holding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through."""
        room = scope[_ROOM] = Room(self._holding)
        head: Message | None = None

        async def send_counted(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                head = message
                return
            streams = message.get("more_body", False)
            await room.grow_to(len(message.get("body", b"")), streams=streams)
            if head is not None:
                waiting, head = head, None
                await send(waiting)
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            room.give_back()
