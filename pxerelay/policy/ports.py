"""The relay's own side of the network: which interfaces serve clients, with which giaddr, in which VRF.

An interface that is not there, is down or has no address is no error: it waits, with the reason in
words, and is looked at again whenever the kernel tells of a change.

Servers are asked in the VRF that giaddr belongs to, and answer there. As giaddr is the interface's own
address by default, that is the interface's VRF; a `giaddr` of another VRF, the default one say, is how
servers in that one are reached. The same address in two VRFs is two addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from pxerelay.policy import port_table
from pxerelay.policy.links import Link
from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.wire.agentinfo import AgentInfo, info_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Port(port_table.AnyPort):
    """A client interface of DHCPv4.

    `giaddr` is None while it waits. `address` is the interface's own address, which replies come from; `info`
    is what it adds as option 82.
    """

    giaddr: IPv4Address | None = None
    address: IPv4Address | None = None
    info: AgentInfo | None = None


Change = port_table.Change[Port]
"""What changed about client interfaces and addresses of IPv4."""


class PortTable(port_table.AnyPortTable[Port, IPv4Address]):
    """The client interfaces of DHCPv4."""

    @staticmethod
    def _serves(setting: InterfaceSetting) -> bool:
        return setting.dhcpv4

    @staticmethod
    def _configured(setting: InterfaceSetting) -> IPv4Address | None:
        return setting.giaddr

    @staticmethod
    def _addresses(link: Link) -> Sequence[IPv4Address]:
        return link.addresses

    @staticmethod
    def _of_host(link: Link | None) -> tuple[object, ...]:
        if link is None or not (link.addresses or link.vrf):
            return ()
        name = link.name if link.vrf == link.index else ""
        return link.vrf, link.addresses, link.narrow, name, (link.up, link.mtu) if link.addresses else None

    @staticmethod
    def _waits(name: str, setting: InterfaceSetting, why: str, link: Link | None) -> Port:
        return Port(name, setting, waiting=why, link=link)

    @staticmethod
    def _standing(port: Port) -> IPv4Address | None:
        return port.giaddr

    @staticmethod
    def _mark(port: Port) -> bytes | None:
        return port.info.circuit_id if port.info else None

    def _candidate(self, name: str, setting: InterfaceSetting, link: Link) -> Port:
        lack = self._out_of_order(link)
        if lack:
            return self._waits(name, setting, lack, link)
        standing = link.standing
        giaddr = setting.giaddr or (standing[0] if standing else None)
        if giaddr is None:
            return self._waits(name, setting, _lack(link), link)
        home = self._home(giaddr, link)
        if home is None:
            return self._waits(name, setting, f"its giaddr {giaddr} is no address of this host", link)
        address = giaddr if giaddr in link.addresses or not standing else standing[0]
        info = None
        if self._config.option82 is not None:
            info = info_for(self._config.option82, name, self._hostname, giaddr, address)
        return Port(
            name,
            setting,
            index=link.index,
            giaddr=giaddr,
            address=address,
            info=info,
            mtu=link.mtu,
            vrf=home,
            hardware=link.hardware,
            link=link,
        )


def assign(config: Config, links: Iterable[Link], hostname: str = "") -> tuple[Port, ...]:
    """Return the ports that a configuration makes of the interfaces there are."""
    return PortTable(config, links, hostname).ports


def vrfs_to_hear(config: Config, ports: Iterable[Port], links: Iterable[Link]) -> dict[int, str]:
    """Return the VRFs that hold a client interface or its giaddr, by index, with their names.

    Where routers may relay to us it is every VRF there is.
    """
    return port_table.vrfs_to_hear(ports, links, routers=bool(config.accept_relayed_from))


def _lack(link: Link) -> str:
    """Tell why no address stands for an interface."""
    if not link.addresses:
        return "the interface has no IPv4 address"
    return (
        f"its address {link.addresses[0]} is not of global scope, which servers and routers could answer; "
        f"give it one that is, or name this one as its giaddr"
    )
