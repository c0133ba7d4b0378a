"""One DHCPv6 message in; where it goes, or why it is dropped, out. `relay` is the same for DHCPv4."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports6 import Change6, Port6
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.sticky import StickyClients
from pxerelay.policy.ways import WayTo
from pxerelay.relay.decision6 import Arrival6, Decision6
from pxerelay.wire.facts6 import Facts6

Behind = Callable[[int, bytes], bytes | None]
"""Tells the MAC of the last frame that was heard from 16 octets on an interface, None if it is not known.

It need not know of frames whose source is the one in the address (EUI-64): None is right for these too.
"""


_NO_ANSWERS = ResolvedNames()


class Relay6:
    """The rules for one configuration, one state of the network, and what is known and thought of servers.

    As `Relay`: `answers` are for servers' DNS names, `sticky` has the clients that keep the `standing` before
    this one, `way_to` tells the way to a server. `behind` tells who is behind a client's address.
    """

    def __init__(
        self,
        config: Config,
        ports: Iterable[Port6],
        links: Iterable[Link],
        answers: ResolvedNames = _NO_ANSWERS,
        standing: Standing = ALL_UP,
        sticky: StickyClients | None = None,
        way_to: WayTo | None = None,
        behind: Behind | None = None,
    ) -> None:
        raise NotImplementedError

    def follow(self, ports: Iterable[Port6], change: Change6) -> None:
        """Take in what changed of the network; `ports` are all that there are now."""
        raise NotImplementedError

    def decide(self, arrival: Arrival6, facts: Facts6 | None = None) -> Decision6:
        """Return what to do with a message, which stays as it is."""
        raise NotImplementedError
