"""Where a client's DHCPv6 requests go, for `explain`: as the relay would decide, and in words.

A client that nobody has heard yet is described by what it would say; behind a relay agent by what that would
say of it. So a message is made up that shows it, and everything else is read from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

from pxerelay.policy.addresses6 import Address6
from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.ports6 import assign
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import NamedServer, Target, hosts_of
from pxerelay.relay.decision6 import MEANING6, Arrival6, Decision6, Drop6, ToServers6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.words import named_server
from pxerelay.wire import eui64, packet6, relayed6
from pxerelay.wire.client6 import Client6, MacSource
from pxerelay.wire.facts6 import Facts6

_PLACEHOLDER_SERVERS = IPv6Network("100::/64")
"""For servers known by DNS name, which nobody looks up here: what is sent there is lost (RFC 6666)."""

_PLACEHOLDERS = IPv6Network("2001:db8::/64")
"""For link-addresses that are not known here (RFC 3849)."""

_XID = b"\x12\x34\x56"
"""Of a request that nobody sends."""

_ENTERPRISE = (343).to_bytes(4, "big")
"""What firmware has in option 16: Intel, which made PXE (UEFI 2.10, 24.7.2)."""

TOLD_BY = {
    MacSource.FRAME: "its frame",
    MacSource.OPTION79: "option 79",
    MacSource.EUI64: "the EUI-64 in its address",
    MacSource.NONE: "nobody",
}
"""What told a client's MAC, in words."""

_ROUTER, _NOBODYS = IPv6Address("2001:db8::1"), IPv6Address("fe80::1")
"""Of a relay agent and of a client whose addresses do not matter."""

_LINK_LOCAL = IPv6Address("fe80::7078:6572:656c:6179")
"""In the place of our own, which nobody else has."""

_FIRST_INDEX = 2
"""Index of the first made-up interface."""


class Said6(NamedTuple):
    """A message and how it came: `source` has 16 octets, `mac` is its frame's, None if that is not known.

    `interface` is the client interface that a client's own message was heard on, None of one that a relay
    agent sent.
    """

    message: bytes
    source: bytes
    mac: bytes | None
    interface: str | None

    @property
    def is_relayed(self) -> bool:
        """Whether a relay agent sent it."""
        return packet6.message_type(self.message) == packet6.RELAY_FORW

    @property
    def client(self) -> Client6:
        """The client that it shows."""
        return Client6(Facts6(self.message), self.interface, self.source, self.mac)


def solicit(vendor_class: bytes, architectures: Iterable[int], duid: bytes = b"") -> bytes:
    """Return a SOLICIT of a client that says this of itself (RFC 9915, 8; RFC 5970, 3)."""
    octets = bytes((packet6.SOLICIT,)) + _XID
    if duid:
        octets += relayed6.option(packet6.CLIENT_ID, duid)
    if vendor_class:
        text = len(vendor_class).to_bytes(2, "big") + vendor_class
        octets += relayed6.option(packet6.VENDOR_CLASS, _ENTERPRISE + text)
    numbers = b"".join(number.to_bytes(2, "big") for number in architectures)
    return octets + (relayed6.option(packet6.CLIENT_ARCH, numbers) if numbers else b"")


def heard(mac: bytes, interface: str, message: bytes) -> Said6:
    """Return a message of a client with this MAC that is heard on an interface of ours."""
    return Said6(message, eui64.link_local(mac), mac, interface)


def relayed(config: Config, message: bytes, peer: IPv6Address | None, option79: bytes | None) -> Said6:
    """Return a client's message as a relay agent sends it that may, with what that says of the client.

    A client of which no address is told has one that gives no MAC away.
    """
    around = b"" if option79 is None else relayed6.hardware_address(option79)
    address = (peer or _NOBODYS).packed
    router = config.accept_relayed_from6[0][0] if config.accept_relayed_from6 else _ROUTER
    source = router if router.packed[-1] else IPv6Address(int(router) + 1)
    header = relayed6.header(0, _ROUTER.packed, address, around, len(message)) or b""
    return Said6(header + message, source.packed, None, None)


@dataclass(frozen=True)
class Answer6:
    """Who gets a client's requests: `targets` have an IPv6 address, or may; `nobody` says why none do."""

    targets: tuple[Target, ...]
    nobody: str = ""
    note: str = ""


class Reviewer6:
    """A relay with made-up interfaces of these names, each with its index in `indexes`.

    `standing` are their link-addresses as octets: those of the configuration, else what `link_addresses`
    says; of `guessed` ones it is a placeholder. `servers_known` are the octets of all servers.
    """

    def __init__(
        self,
        config: Config,
        names: Iterable[str] = (),
        hostname: str = "",
        link_addresses: Mapping[str, IPv6Address] | None = None,
    ) -> None:
        self.config = config
        self.guessed: set[str] = set()
        self.indexes: dict[str, int] = {}
        self.standing: dict[str, bytes] = {}
        links = []
        for index, name in enumerate(dict.fromkeys(names), _FIRST_INDEX):
            setting = config.setting_for(name)
            address = (setting.link_address if setting else None) or (link_addresses or {}).get(name)
            if address is None:
                address = _PLACEHOLDERS[index]
                self.guessed.add(name)
            own = Address6(_LINK_LOCAL)
            links.append(
                Link(index, name, up=True, mtu=1500, addresses=(), addresses6=(Address6(address), own))
            )
            self.indexes[name], self.standing[name] = index, address.packed
        names = sorted(config.dns_names)
        answers = ResolvedNames(
            {name: ResolvedName(addresses6=(_PLACEHOLDER_SERVERS[at + 1],)) for at, name in enumerate(names)}
        )
        self.relay = Relay6(config, assign(config, links, hostname), links, answers)
        self.servers_known = frozenset(
            address.packed for target in config.mentioned for address in answers.of6(target)
        )
        self._placeholders = {
            address.packed: name for name, one in answers.by_name.items() for address in one.addresses6
        }

    def answer(self, client: Client6, choice: Choice, *, pxe_only: bool) -> Answer6:
        """Return who gets the requests of a client for which an entry chooses so."""
        found = self.relay.recipients(client, choice, pxe_only=pxe_only)
        if isinstance(found, Drop6):
            return Answer6((), "dropped", MEANING6[found])
        targets = tuple(target for target in found if self._reaches(target))
        note = ""
        if set(choice.servers).isdisjoint(found):
            note = "pxe_only: a client that is not booting from the network reaches the dhcp_servers alone"
        if targets:
            if not any(map(self._reaches, choice.servers)):
                note = note or f"{choice.label} has no IPv6 address"
            return Answer6(targets, "", note)
        who = "none of the dhcp_servers has an" if note else f"{choice.label} has no"
        return Answer6((), f"nobody: {who} IPv6 address", note)

    @staticmethod
    def _reaches(target: Target) -> bool:
        return any(isinstance(host, (str, IPv6Address)) for host in hosts_of(target))

    def decide(self, said: Said6) -> Decision6:
        """Return what the relay would do with a message."""
        index = self.indexes.get(said.interface or "", 0)
        port = packet6.SERVER_PORT if said.is_relayed else packet6.CLIENT_PORT
        group = packet6.ALL_RELAYS_AND_SERVERS
        return self.relay.decide(Arrival6(said.message, index, said.source, port, group, said.mac))

    def with_link_address(self, octets: bytes) -> str | None:
        """Return the interface whose link-address this is known to be, None if there is none, or several."""
        found = [name for name, one in self.standing.items() if one == octets and name not in self.guessed]
        return found[0] if len(found) == 1 else None

    def server(self, octets: bytes) -> NamedServer:
        """Return a server by its 16 octets; one that the configuration has by DNS name with that."""
        named = named_server(self.relay, octets)
        looked_up = self._placeholders.get(octets)
        return replace(named, address=looked_up) if looked_up else named

    def servers(self, decision: ToServers6) -> list[str]:
        """Return whom a message goes to: addresses, and DNS names in the place of those made up for them."""
        return [self._placeholders.get(octets, str(IPv6Address(octets))) for octets in decision.servers]
