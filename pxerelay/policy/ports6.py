"""The relay's own side of the network in DHCPv6: which interfaces serve clients, with which link-address.

`Link.addresses6` has what the kernel tells of an interface's IPv6 addresses; a `Port6` is what a client
interface is in DHCPv6. It is a state of its own beside the one in DHCPv4 (`ports.Port`): one may serve while
the other waits (rule 160).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address

from pxerelay.policy.model import InterfaceSetting
from pxerelay.policy.ports import Link


@dataclass(frozen=True, slots=True)
class Port6:
    """A client interface in DHCPv6, called as the configuration calls it; `link` is what it is, if there.

    `index`, `link_address` (rule 110) and `link_local` are None while it waits, and `waiting` says what for.
    Replies come from `link_local`, to global addresses from `link_address`. `vrf` is the VRF of the latter,
    where servers are asked; `hardware` is the interface's Ethernet address, empty if it has none.
    """

    name: str
    setting: InterfaceSetting
    index: int | None = None
    link_address: IPv6Address | None = None
    link_local: IPv6Address | None = None
    mtu: int = 1500
    waiting: str = ""
    vrf: int = 0
    hardware: bytes = bytes(6)
    link: Link | None = field(default=None, compare=False)

    @property
    def state(self) -> str:
        """`active` or `waiting`."""
        return "waiting" if self.waiting else "active"
