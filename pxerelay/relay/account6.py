"""What became of a DHCPv6 message: facts for programs, and the same in words; `account` has DHCPv4's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, ClassVar

from pxerelay.relay.account import LONGEST, AnyAccount, AnyNarrator, chosen, sent
from pxerelay.relay.decision6 import MEANING6, Arrival6, Decision6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.words import named_server
from pxerelay.relay.words6 import TOLD_BY, client_kind, duid_text, message_name, target_of
from pxerelay.wire import packet6, relayed6
from pxerelay.wire.answer6 import answer
from pxerelay.wire.client6 import Client6, MacSource
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.mac import format_mac


@dataclass(frozen=True)
class Account6(AnyAccount):
    """An account of a DHCPv6 message.

    `duid` is the client's identifier, `peer` its address, `told_by` what told its MAC (a value of
    `MacSource`), `link_address` the one it left with. Of a reply `leases` are the addresses and prefixes in
    it, `status` what it says instead.
    """

    family: ClassVar[int] = 6

    duid: str = ""
    peer: str = ""
    told_by: str = MacSource.NONE.value
    link_address: str = ""
    leases: tuple[str, ...] = ()
    status: str = ""

    @property
    def who(self) -> str:
        """Its MAC; where nobody told it its DUID, else its address."""
        return self.mac or self.duid or self.peer or self.sender

    @property
    def refusal(self) -> str:
        """What a reply says in the place of an address."""
        return self.status

    def _returning(self) -> str:
        link = f"a subnet for {self.link_address}" if self.link_address != "::" else "a subnet for that link"
        return f"this relay and {link}"

    def _unread(self) -> str:
        return f"DHCPv6 from {self.sender} on {self.interface}"

    def _where(self) -> str:
        return f"{self.interface} from {self.router}" if self.router else self.interface

    def _described(self) -> str:
        told = [self.client, *([self.duid] if self.mac and self.duid else [])]
        return "; ".join([*told, TOLD_BY[MacSource(self.told_by)]])

    def _stands_for(self) -> str:
        return f"link-address {self.link_address}"

    def _offered(self) -> Iterator[str]:
        if self.leases:
            yield f"address {', '.join(self.leases)}"
        if self.boot_file:
            yield f"boot file {self.boot_file}"
        if self.status:
            yield self.status


class Narrator6(AnyNarrator):
    """Gives accounts of the decisions of one relay of DHCPv6."""

    def __init__(self, relay: Relay6, place_of: Callable[[str], str] | None = None) -> None:
        super().__init__(place_of)
        self._relay = relay

    def tell(self, arrival: Arrival6, facts: Facts6, interface: str, decision: Decision6) -> str:
        """Return an account as a line of text; `account` has the arguments."""
        return self.text(self.account(arrival, facts, interface, decision))

    def account(self, arrival: Arrival6, facts: Facts6, interface: str, decision: Decision6) -> Account6:
        """Tell what became of a message, given its facts.

        `interface` is the name of the one the message came in on.
        """
        sender = str(IPv6Address(arrival.source))
        told: dict[str, Any] = {"interface": interface, "sender": sender}
        if isinstance(decision, Dropped6):
            told |= {"dropped": decision.reason.value, "meaning": MEANING6[decision.reason]}
        kind = packet6.message_type(arrival.message)
        if kind is None or len(arrival.message) < packet6.header_size(kind):
            return Account6(mac="", request=True, **told)
        if kind == packet6.RELAY_REPL:
            return Account6(request=False, **told, **self._reply(arrival, decision))
        return Account6(request=True, **told, **self._request(arrival, facts, decision))

    def _request(self, arrival: Arrival6, facts: Facts6, decision: Decision6) -> dict[str, Any]:
        client = None if isinstance(decision, ToPeer) else decision.client
        client = client or Client6(facts, None, arrival.source, arrival.mac)
        told: dict[str, Any] = {
            "mac": format_mac(client.chaddr) if client.chaddr else "",
            "message": message_name(facts.kind),
            "xid": facts.xid.hex(),
            "duid": duid_text(facts.duid),
            "peer": str(IPv6Address(client.peer)),
            "told_by": client.told_by.value,
            "client": client_kind(facts)[:LONGEST],
            "pxe": facts.boots,
            "router": str(IPv6Address(arrival.source)) if facts.layers else "",
        }
        match = None if isinstance(decision, ToPeer) else decision.match
        if match is None:
            return told
        told |= chosen(match)
        if isinstance(decision, ToServers6):
            told |= sent(self._relay, decision.servers, self._relay.vrfs.get(decision.vrf, ""))
            told["link_address"] = str(IPv6Address(decision.header[packet6.LINK_ADDRESS]))
            told["note"] = self._note(decision)
        return told

    def _note(self, decision: ToServers6) -> str:
        if decision.silent:
            return "to all that it may have asked"
        servers = decision.match.choice.servers if decision.match else ()
        addresses = {address.packed for target in servers for address in self._relay.answers.of6(target)}
        if not addresses.isdisjoint(decision.servers):
            return ""
        if not addresses:
            return "its boot server has no IPv6 address: this client reaches the DHCP servers alone"
        return "pxe_only: this client reaches the DHCP servers alone"

    def _reply(self, arrival: Arrival6, decision: Decision6) -> dict[str, Any]:
        inside = relayed6.unwrapped(arrival.message)
        facts = Facts6(relayed6.innermost(inside.message if inside else b""))
        given = answer(facts)
        told: dict[str, Any] = {
            "mac": "",
            "message": message_name(facts.kind) if inside else "RELAY-REPL",
            "xid": facts.xid.hex(),
            "duid": duid_text(facts.duid),
            "peer": str(IPv6Address(bytes(arrival.message[packet6.PEER_ADDRESS]))),
            "link_address": str(IPv6Address(bytes(arrival.message[packet6.LINK_ADDRESS]))),
            "server": named_server(self._relay, arrival.source),
            "leases": given.leases,
            "boot_file": given.boot_file,
            "status": given.status,
        }
        if isinstance(decision, ToPeer):
            told |= {"sent_to": target_of(decision), "out": decision.port.name if decision.port else ""}
            told["mac"] = format_mac(decision.hardware) if decision.hardware else ""
        return told
