"""The relay's own side of the network in DHCPv6: which interfaces serve clients, with which link-address.

A client interface is one thing in DHCPv4 (`ports`) and another in DHCPv6: it may serve in one while it waits
in the other (rule 160). For DHCPv6 it needs a link-local address, which replies come from, and a link-address
(rules 110, 111 and 161), and it must have joined ff02::1:2, where clients ask. The daemon tries that, and
tells `PortTable6.joined` where it failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from pxerelay.policy import port_table
from pxerelay.policy.addresses6 import Address6, is_global, link_address, link_local
from pxerelay.policy.links import Link
from pxerelay.policy.model import PLACEHOLDERS6, Config, InterfaceSetting

LONGEST_TEXT = 64
"""Octets of an Interface-Id or Remote-Id that a template makes; what is beyond that is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port6(port_table.AnyPort):
    """A client interface of DHCPv6.

    `link_address` and `link_local` are None while it waits. Replies come from `link_local`, to global peers
    from `address`, a global address of the interface itself, if it has one. `interface_id` and `remote_id`
    are the texts of options 18 and 37, None where they are not sent.
    """

    link_address: IPv6Address | None = None
    link_local: IPv6Address | None = None
    address: IPv6Address | None = None
    interface_id: bytes | None = None
    remote_id: bytes | None = None


Change6 = port_table.Change[Port6]
"""What changed about client interfaces and addresses of IPv6."""


class PortTable6(port_table.AnyPortTable[Port6, IPv6Address]):
    """The client interfaces of DHCPv6; none if the configuration has DHCPv6 off."""

    def __init__(self, config: Config, links: Iterable[Link] = (), hostname: str = "") -> None:
        self._deaf: dict[int, str] = {}
        super().__init__(config, links, hostname)

    @property
    def to_join(self) -> frozenset[int]:
        """The indexes of the interfaces that lack nothing, but for ff02::1:2, if that was not joined."""
        found = {index for index, port in self._ports.items() if not port.waiting}
        return frozenset(found.union(index for index in self._deaf if index in self._candidates))

    def update(self, changed: Mapping[int, Link | None]) -> Change6:
        """Take links that changed, by index, None for one that is gone; return what that changed."""
        for index, link in changed.items():
            if link is None:
                self._deaf.pop(index, None)
        return super().update(changed)

    def joined(self, index: int, why_not: str = "") -> Change6:
        """Take whether an interface joined ff02::1:2: if it could not, it waits, for the reason in words."""
        if self._deaf.get(index, "") == why_not:
            return Change6({}, (), ())
        if why_not:
            self._deaf[index] = why_not
        else:
            del self._deaf[index]
        return self.update({index: self._links.get(index)})

    @staticmethod
    def _serves(setting: InterfaceSetting) -> bool:
        return setting.dhcpv6

    @staticmethod
    def _configured(setting: InterfaceSetting) -> IPv6Address | None:
        return setting.link_address

    @staticmethod
    def _addresses(link: Link) -> Sequence[IPv6Address]:
        """Return those that are the host's and no link's alone: each link may have the same ones of these."""
        return [one.address for one in link.addresses6 if is_global(one.address) and one.usable]

    @staticmethod
    def _of_host(link: Link | None) -> tuple[object, ...]:
        if link is None or not (link.addresses6 or link.vrf):
            return ()
        name = link.name if link.vrf == link.index else ""
        return link.vrf, link.addresses6, name, (link.up, link.mtu) if link.addresses6 else None

    @staticmethod
    def _waits(name: str, setting: InterfaceSetting, why: str, link: Link | None) -> Port6:
        return Port6(name, setting, waiting=why, link=link)

    @staticmethod
    def _standing(port: Port6) -> IPv6Address | None:
        return port.link_address

    @staticmethod
    def _mark(port: Port6) -> bytes | None:
        return port.interface_id

    def _candidate(self, name: str, setting: InterfaceSetting, link: Link) -> Port6:
        lack = self._out_of_order(link) or _lack(link)
        if lack:
            return self._waits(name, setting, lack, link)
        standing = setting.link_address or link_address(link.addresses6)
        if standing is None:
            return self._waits(name, setting, _lacks_global(link), link)
        home = self._home(standing, link)
        if home is None:
            return self._waits(name, setting, self._lacks_configured(standing), link)
        if link.index in self._deaf:
            return self._waits(name, setting, f"it could not join ff02::1:2: {self._deaf[link.index]}", link)
        own = link_local(link.addresses6)
        mine = any(one.address == standing for one in link.addresses6)
        texts = self._texts(name, standing)
        return Port6(
            name,
            setting,
            index=link.index,
            link_address=standing,
            link_local=own.address if own else None,
            address=standing if mine else link_address(link.addresses6),
            interface_id=texts[0],
            remote_id=texts[1],
            mtu=link.mtu,
            vrf=home,
            hardware=link.hardware,
            link=link,
        )

    def _texts(self, interface: str, standing: IPv6Address) -> tuple[bytes | None, bytes | None]:
        """Return the texts of options 18 and 37 for an interface."""
        setting = self._config.dhcpv6
        if setting is None:
            return None, None
        names = dict(zip(PLACEHOLDERS6, (interface, str(standing), self._hostname), strict=True))
        return _text(setting.interface_id, names), _text(setting.remote_id, names)

    def _lacks_configured(self, wanted: IPv6Address) -> str:
        """Tell why an address that is configured to stand for an interface can't."""
        for link in self._links.values():
            for one in link.addresses6:
                if one.address == wanted:
                    return f"its link_address {wanted} {_state(one)}"
        return f"its link_address {wanted} is no address of this host"


def assign(config: Config, links: Iterable[Link], hostname: str = "") -> tuple[Port6, ...]:
    """Return the ports that a configuration makes of the interfaces there are."""
    return PortTable6(config, links, hostname).ports


def vrfs_to_hear(config: Config, ports: Iterable[Port6], links: Iterable[Link]) -> dict[int, str]:
    """Return the VRFs that hold a client interface or its link-address, by index, with their names.

    Where routers may relay to us it is every VRF there is.
    """
    return port_table.vrfs_to_hear(ports, links, routers=bool(config.accept_relayed_from6))


def _lack(link: Link) -> str:
    """Tell why nothing can be sent on a link by IPv6; empty if something can."""
    if not link.has_ipv6:
        return "IPv6 is disabled on the interface (net.ipv6.conf.*.disable_ipv6)"
    own = link_local(link.addresses6)
    if own is None:
        return "the interface has no link-local address, which replies come from"
    return "" if own.usable else f"its link-local address {own.address} {_state(own)}"


def _state(one: Address6) -> str:
    """Tell why an address that is there can't be used."""
    if one.duplicate:
        return "is a duplicate: another host on the link has it"
    if one.tentative:
        return "is tentative: whether another host has it is found out within some seconds"
    return "can't be used"


def _lacks_global(link: Link) -> str:
    """Tell why no address of a link may stand for it."""
    found = [one for one in link.addresses6 if is_global(one.address)]
    unusable = next((one for one in found if not one.usable), None)
    if unusable is not None:
        return f"its address {unusable.address} {_state(unusable)}"
    if found:
        return (
            f"its address {found[0].address} is a temporary one, which does not stand for it; give it one "
            "that stays, or name one as its link_address"
        )
    return (
        "the interface has no global IPv6 address, by which servers find the subnet; give it one, or name "
        "one as its link_address"
    )


def _text(template: str | None, names: dict[str, str]) -> bytes | None:
    if template is None:
        return None
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", value)
    return template.encode()[:LONGEST_TEXT]
