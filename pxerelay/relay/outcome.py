"""What becomes of messages of a batch: of a group that has one decision, or of one message alone.

The fast path and the relay return the same types, so that what sends, counts and logs has one case only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic, Protocol, TypeVar

from pxerelay.policy.ports import Port
from pxerelay.relay.decision import Dropped, ToClient, ToServers
from pxerelay.wire import packet
from pxerelay.wire.frames import Reply


class Route:
    """Where requests go that need no change but in hops and giaddr, which becomes `giaddr`.

    They were heard on the interface with this index. The decision is that on the first of them: of its
    `match` the rule itself is that one's, kind and choice are the same for all. It is the same object for all
    batches, as long as the fast path remembers it.
    """

    __slots__ = ("decision", "giaddr", "index")

    def __init__(self, decision: ToServers, giaddr: bytes, index: int) -> None:
        self.decision, self.giaddr, self.index = decision, giaddr, index


class Sending(Protocol):
    """A decision to send requests to servers, in either family."""

    @property
    def port(self) -> object | None:
        """The client interface that they were heard on; None if a relay agent sent them."""


_ToServers = TypeVar("_ToServers", bound=Sending)
_Route = TypeVar("_Route")


class AnyRequests(Generic[_ToServers, _Route]):
    """Requests of one family that go the same way, as they are sent.

    `messages` are what is sent, `positions` where they stand in their batch. Of `strangers`, some of these
    positions, the client is named by no rule and was not met for a while. `route` is None for one that was
    decided on alone.
    """

    __slots__ = ("decision", "index", "messages", "positions", "route", "strangers")

    def __init__(
        self,
        decision: _ToServers,
        index: int,
        positions: list[int],
        messages: list[packet.Message],
        strangers: Collection[int] = (),
        route: _Route | None = None,
    ) -> None:
        self.decision, self.index = decision, index
        self.positions, self.messages = positions, messages
        self.strangers, self.route = strangers, route

    @property
    def place(self) -> int:
        """Where they were heard: `index`, or `~index` if a router relayed them (`Batch.asker`)."""
        return self.index if self.decision.port else ~self.index

    def leave_out(self, positions: Collection[int]) -> None:
        """Take messages out that are not to be sent."""
        kept = [
            (at, one) for at, one in zip(self.positions, self.messages, strict=True) if at not in positions
        ]
        self.positions, self.messages = [at for at, _ in kept], [one for _, one in kept]
        self.strangers = [at for at in self.strangers if at not in positions]


class Requests(AnyRequests[ToServers, Route]):
    """Requests of DHCPv4, patched."""

    __slots__ = ()


class Replies:
    """Replies of one server, given as a number, that leave by one port.

    `decision` is there for one that was decided on alone.
    """

    __slots__ = ("decision", "port", "replies", "source")

    def __init__(
        self, port: Port, source: int, replies: Sequence[Reply], decision: ToClient | None = None
    ) -> None:
        self.port, self.source, self.replies, self.decision = port, source, replies, decision


class Lost:
    """Messages that are dropped for one reason; for `strangers` see `Requests`."""

    __slots__ = ("decision", "index", "positions", "strangers")

    def __init__(
        self, decision: Dropped, index: int, positions: Sequence[int], strangers: Collection[int] = ()
    ) -> None:
        self.decision, self.index, self.positions, self.strangers = decision, index, positions, strangers


Outcome = Requests | Replies | Lost
