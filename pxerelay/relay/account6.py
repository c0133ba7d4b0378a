"""What became of a DHCPv6 message: facts for programs, and the same in words; `account` has DHCPv4's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import IPv6Address
from typing import Any

from pxerelay.policy.rules import RULES, Reason
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.decision6 import MEANING6, Arrival6, Decision6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.words import entry_text
from pxerelay.relay.words6 import TOLD_BY, client_kind, duid_text, message_name, named_server, target_of
from pxerelay.wire import packet6, relayed6
from pxerelay.wire.answer6 import answer
from pxerelay.wire.client6 import Client6, MacSource
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.mac import format_mac

_LONGEST = 400
"""Characters that are kept of what a message says of its client."""


@dataclass(frozen=True)
class Account6:
    """One message and what became of it. All values are such as JSON has; what is not known is empty.

    As `Account`, and: `duid` is the client's identifier, `peer` its address, `told_by` what told its MAC
    (a value of `MacSource`), `link_address` the one it left with. Of a reply: `leases` are the addresses and
    prefixes in it, `status` what it says instead.
    """

    mac: str
    interface: str
    sender: str
    request: bool
    message: str = ""
    xid: str = ""
    duid: str = ""
    peer: str = ""
    told_by: str = MacSource.NONE.value
    link_address: str = ""
    client: str = ""
    boots: bool = False
    reason: str = ""
    rule: str = ""
    choice: str = ""
    servers: tuple[NamedServer, ...] = ()
    router: str = ""
    vrf: str = ""
    note: str = ""
    server: NamedServer | None = None
    leases: tuple[str, ...] = ()
    boot_file: str = ""
    status: str = ""
    sent_to: str = ""
    out: str = ""
    dropped: str = ""
    meaning: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The same as a mapping for JSON."""
        return asdict(self)

    def text(self, place: str = "", after: str = "") -> str:
        """Return one line: who asked, on which VLAN, which rule, sent where; or what came back.

        `place` is the `file:line` of the entry that chose, `after` how long the answer took.
        """
        if not self.message:
            return f"DHCPv6 from {self.sender} on {self.interface}: dropped, {self.meaning}"
        who = self.mac or self.duid or self.peer or self.sender
        if not self.request:
            return f"{who}: {self._reply(after)}"
        where = f"{self.interface} from {self.router}" if self.router else self.interface
        told = [self.client, *([self.duid] if self.mac and self.duid else [])]
        told.append(TOLD_BY[MacSource(self.told_by)])
        return f"{who} on {where}: {self.message} ({'; '.join(told)}){self._request(place)}"

    def _request(self, place: str) -> str:
        if not self.reason:
            return f" dropped: {self.meaning}"
        chosen = f", {entry_text(Reason(self.reason), self.rule, place)} says {self.choice}"
        if self.dropped:
            said = self.dropped == Drop6.MAPPED_TO_DROP.value
            return f"{chosen}; dropped{'' if said else f': {self.meaning}'}"
        servers = ", ".join(map(str, self.servers))
        where = f" in VRF {self.vrf}" if self.vrf else ""
        note = f" ({self.note})" if self.note else ""
        return f"{chosen}; sent to {servers} with link-address {self.link_address}{where}{note}"

    def _reply(self, after: str) -> str:
        offered = [f"{self.message} from {self.server}{after}"]
        if self.leases:
            offered.append(f"address {', '.join(self.leases)}")
        if self.boot_file:
            offered.append(f"boot file {self.boot_file}")
        if self.status:
            offered.append(self.status)
        text = ", ".join(offered)
        if self.dropped:
            return f"{text}; dropped: {self.meaning}"
        return f"{text}; sent to {self.sent_to}{f' on {self.out}' if self.out else ''}"


class Narrator6:
    """Gives accounts of one relay's decisions. `place_of` returns where a rule stands, as `file:line`."""

    def __init__(self, relay: Relay6, place_of: Callable[[str], str] | None = None) -> None:
        self._relay = relay
        self._place_of = place_of

    def tell(self, arrival: Arrival6, facts: Facts6, interface: str, decision: Decision6) -> str:
        """Return an account as a line of text; `account` has the arguments."""
        return self.text(self.account(arrival, facts, interface, decision))

    def text(self, account: Account6) -> str:
        """Return an account as a line of text."""
        named = self._place_of and account.reason and Reason(account.reason) in RULES
        return account.text(self._place_of(account.rule) if named and self._place_of else "")

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
            "client": client_kind(facts)[:_LONGEST],
            "boots": facts.boots,
            "router": str(IPv6Address(arrival.source)) if facts.layers else "",
        }
        match = None if isinstance(decision, ToPeer) else decision.match
        if match is None:
            return told
        told |= {"reason": match.reason.value, "rule": match.rule, "choice": match.choice.label}
        if isinstance(decision, ToServers6):
            told["servers"] = tuple(named_server(self._relay, address) for address in decision.servers)
            told["vrf"] = self._relay.vrfs.get(decision.vrf, "") if decision.vrf else ""
            told["link_address"] = str(IPv6Address(decision.header[packet6.LINK_ADDRESS]))
            told["note"] = self._note(decision)
        return told

    def _note(self, decision: ToServers6) -> str:
        if decision.silent:
            return "to all that it may have asked"
        servers = decision.match.choice.servers if decision.match else ()
        chosen = {address.packed for target in servers for address in self._relay.answers.of6(target)}
        if not chosen.isdisjoint(decision.servers):
            return ""
        if not chosen:
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
