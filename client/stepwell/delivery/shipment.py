"""What the shipper needs of a log: one of this process, or one that a process left behind."""

from typing import Protocol

from stepwell.delivery.progress import Delivery
from stepwell.errors import StepwellException
from stepwell.spool.reader import SpoolReader
from stepwell_api.v1 import ingest_pb2


class Shipment(Protocol):
    """What the shipper needs of a log: one of this process, or one that a process left behind."""

    @property
    def reader(self) -> SpoolReader:
        """What is to be delivered."""
        ...

    @property
    def delivery(self) -> Delivery:
        """Where to tell how far it is."""
        ...

    def open_message(self) -> ingest_pb2.OpenWriter:
        """Return what opens the stream."""
        ...

    @property
    def first_position(self) -> int:
        """Where the log of the writer that opens the stream begins; what lies below was another's."""
        ...

    def believes(self, position: int, *, secret_checked: bool) -> bool:
        """Tell whether so much can be committed; `secret_checked`: nobody without our secret can have done it."""
        ...

    def begin_anew(self) -> bool:
        """Go on as another writer with what is not known to be committed; tells whether that can be."""
        ...

    def is_complete(self, position: int) -> bool:
        """Tell whether nothing can come at or after a position."""
        ...

    def linger_s(self) -> float:
        """Return how long points gather from now on, unless somebody waits for them, in seconds."""
        ...

    @property
    def left_in_order(self) -> bool:
        """Whether the process that logged said that it is done with the run; asked when the log is complete."""
        ...

    def settled(self, position: int) -> None:
        """Take note that everything below a position is decided."""
        ...

    async def breathe(self) -> None:
        """Do what is to be done every now and then."""
        ...

    def finished(self) -> None:
        """Take note that everything is delivered and nothing will come."""
        ...

    def run_is_deleted(self) -> None:
        """Take note that the server takes nothing for the run until somebody restores it."""
        ...

    def failed(self, failure: StepwellException) -> None:
        """Take note that the server will not take what waits, and why."""
        ...
