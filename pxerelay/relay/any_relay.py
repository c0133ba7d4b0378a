"""What the relays of both families have in common: the interfaces, the servers, the routers that may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic

from pxerelay.policy import port_table
from pxerelay.policy.model import Config
from pxerelay.policy.pools import Standing
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import Address, Target
from pxerelay.policy.sticky import AnySticky
from pxerelay.policy.ways import WayTo
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.network import AnyNetwork, AnyPort, Masks, within


class AnyRelay(Choosing, Generic[AnyPort]):
    """A relay of one family: its `network`, and what is known and thought of servers (`Choosing`).

    Addresses are the octets of the family. `way_to` tells the way to a server in a VRF, if anybody knows it.
    `routers` may relay to us, `replying` are networks that answers may come from besides `repliers`, which
    has every server that may get requests. `source` is what requests leave from, None as the route says.
    """

    def __init__(
        self,
        config: Config,
        network: AnyNetwork[AnyPort],
        answers: ResolvedNames,
        addresses: Callable[[Target], Iterable[Address]],
        standing: Standing,
        sticky: AnySticky[Any] | None,
        way_to: WayTo | None,
        routers: Masks,
        replying: Masks,
    ) -> None:
        super().__init__(config, answers, addresses, standing, sticky)
        self._network = network
        self._way_to = way_to
        self._relays = routers
        self._replying_networks = replying
        self.repliers = frozenset(self._packed(config.mentioned))

    def follow(self, ports: Iterable[AnyPort], change: port_table.Change[AnyPort]) -> None:
        """Take in what changed of the network; `ports` are all that there are now."""
        self._network.follow(ports, change)

    @property
    def own_addresses(self) -> frozenset[bytes]:
        """The addresses of this host in all VRFs, as octets."""
        return self._network.own_addresses

    @property
    def ports(self) -> tuple[AnyPort, ...]:
        """The client interfaces, also those that wait."""
        return self._network.ports

    @property
    def active_indexes(self) -> frozenset[int]:
        """The indexes of client interfaces that serve."""
        return self._network.active_indexes

    @property
    def vrfs(self) -> Mapping[int, str]:
        """The names of VRFs by index."""
        return self._network.vrfs

    def vrf_of(self, index: int) -> int:
        """Return the index of the VRF that an interface is in, 0 for the default one."""
        return self._network.vrf_of(index)

    @property
    def serves_routers(self) -> bool:
        """Whether routers may relay to us."""
        return bool(self._relays)

    def is_client_interface(self, index: int) -> bool:
        """Whether an interface is one of clients, also one that waits."""
        return self._network.is_client_interface(index)

    def knows(self, server: Address) -> bool:
        """Whether an address is that of a configured server."""
        return server.packed in self.repliers

    def _may_reply(self, source: bytes) -> bool:
        return source in self.repliers or within(source, self._replying_networks)

    def _is_the_way_to(self, index: int, server: bytes) -> bool:
        """Whether packets to a server leave by an interface, as far as that is known."""
        if self._way_to is None:
            return True
        way = self._way_to(server, self.vrf_of(index))
        return way is not None and way.interface == index
