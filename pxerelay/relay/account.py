"""What became of a message: facts for programs, and the same in words an administrator understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from typing import Any

from pxerelay.policy.rules import RULES, Match, Reason
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.decision import MEANING, Decision, Drop, Dropped, ToClient, ToServers
from pxerelay.relay.relay import Relay
from pxerelay.relay.words import client_kind, client_mac, entry_text, message_name, named_server, target_of
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts

_LONGEST = 400
"""Characters that are kept of what a message says of its client or boot file: more than either needs."""


@dataclass(frozen=True)
class Account:
    """One message and what became of it. All values are such as JSON has; what is not known is empty.

    Of every message: the client's `mac`, the `interface` it came in on, who sent it (`sender`), whether it
    is a `request`, its type (`message`), `xid` and `giaddr` (as it left); and if it was dropped, the reason's
    name and meaning. Of a request what the client is (`client`, `pxe`), which entry chose (`reason`, `rule`,
    `choice`, as in `explain`), the `servers` that got it, in a `vrf`, and the `router` that it came through,
    which is where answers go. Of a reply the `server`, what it
    offers, whom it went to (`sent_to`) and on which interface (`out`).
    """

    mac: str
    interface: str
    sender: str
    request: bool
    message: str = ""
    xid: str = ""
    giaddr: str = ""
    client: str = ""
    pxe: bool = False
    reason: str = ""
    rule: str = ""
    choice: str = ""
    servers: tuple[NamedServer, ...] = ()
    router: str = ""
    vrf: str = ""
    note: str = ""
    server: NamedServer | None = None
    address: str = ""
    next_server: str = ""
    boot_file: str = ""
    sent_to: str = ""
    out: str = ""
    dropped: str = ""
    meaning: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The same as a mapping for JSON."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Account:
        """Return what `plain` returned, once it went through JSON; what else it holds is passed over."""
        own = {name: plain[name] for name in cls.__dataclass_fields__ if name in plain}
        own["servers"] = tuple(NamedServer(**server) for server in own.get("servers", ()))
        own["server"] = NamedServer(**own["server"]) if own.get("server") else None
        return cls(**own)

    def text(self, place: str = "", after: str = "") -> str:
        """Return one line: who asked, on which VLAN, which rule, sent where; or what came back.

        `place` is the `file:line` of the entry that chose, `after` how long the answer took.
        """
        if not self.xid:
            return f"from {self.sender} on {self.interface}: dropped, {self.meaning}"
        who = self.mac or "(no address)"
        if not self.request:
            return f"{who}: {self._reply(after)}"
        where = self.interface if self.sender == _UNSET else f"{self.interface} from {self.sender}"
        return f"{who} on {where}: {self.message} ({self.client}){self._request(place)}"

    def _request(self, place: str) -> str:
        if not self.reason:
            return f" dropped: {self.meaning}"
        chosen = f", {entry_text(Reason(self.reason), self.rule, place)} says {self.choice}"
        if self.dropped:
            said = self.dropped == Drop.MAPPED_TO_DROP.value
            return f"{chosen}; dropped{'' if said else f': {self.meaning}'}"
        servers = ", ".join(map(str, self.servers))
        where = f" in VRF {self.vrf}" if self.vrf else ""
        note = f" ({self.note})" if self.note else ""
        return f"{chosen}; sent to {servers} with giaddr {self.giaddr}{where}{note}"

    def _reply(self, after: str) -> str:
        offered = [f"{self.message} from {self.server}{after}"]
        if self.address:
            offered.append(f"address {self.address}")
        if self.boot_file:
            offered.append(f"boot file {self.boot_file}")
        text = ", ".join(offered)
        if self.dropped:
            return f"{text}; dropped: {self.meaning}"
        return f"{text}; sent to {self.sent_to} on {self.out}"


_UNSET = str(IPv4Address(packet.UNSET))


class Narrator:
    """Gives accounts of one relay's decisions. `place_of` returns where a rule stands, as `file:line`."""

    def __init__(self, relay: Relay, place_of: Callable[[str], str] | None = None) -> None:
        self._relay = relay
        self._place_of = place_of

    def tell(self, facts: Facts, interface: str, source: bytes, decision: Decision) -> str:
        """Return an account as a line of text; `account` has the arguments."""
        return self.text(self.account(facts, interface, source, decision))

    def text(self, account: Account) -> str:
        """Return an account as a line of text."""
        named = self._place_of and account.reason and Reason(account.reason) in RULES
        return account.text(self._place_of(account.rule) if named and self._place_of else "")

    def account(self, facts: Facts, interface: str, source: bytes, decision: Decision) -> Account:
        """Tell what became of a message, given its facts; it is patched by now.

        `interface` is the name of the one the message came in on, `source` the sender's 4 octets.
        """
        message = facts.message
        sender = str(IPv4Address(source))
        dropped = meaning = ""
        if isinstance(decision, Dropped):
            dropped, meaning = decision.reason.value, MEANING[decision.reason]
        if len(message) < packet.HEADER_SIZE:
            return Account("", interface, sender, True, dropped=dropped, meaning=MEANING[Drop.TRUNCATED])
        is_reply = message[packet.OP] == packet.BOOTREPLY
        told: dict[str, Any] = {
            "mac": client_mac(message),
            "interface": interface,
            "sender": sender,
            "request": not is_reply,
            "message": message_name(packet.message_type(facts.options)),
            "xid": bytes(message[packet.XID]).hex(),
            "giaddr": str(IPv4Address(bytes(message[packet.GIADDR]))),
            "dropped": dropped,
            "meaning": meaning,
        }
        more = self._reply(facts, source, decision) if is_reply else self._request(facts, decision)
        return Account(**told, **more)

    def _request(self, facts: Facts, decision: Decision) -> dict[str, Any]:
        told: dict[str, Any] = {"client": client_kind(facts)[:_LONGEST], "pxe": facts.is_pxe}
        match = None if isinstance(decision, ToClient) else decision.match
        if isinstance(decision, ToClient) or match is None:
            return told
        giaddr = str(IPv4Address(bytes(facts.message[packet.GIADDR])))
        told["router"] = "" if decision.port else giaddr
        told |= {"reason": match.reason.value, "rule": match.rule, "choice": match.choice.label}
        if isinstance(decision, ToServers):
            told["servers"] = tuple(named_server(self._relay, address) for address in decision.servers)
            told["vrf"] = self._relay.vrfs[decision.vrf] if decision.vrf else ""
            told["note"] = self._note(match, decision)
        return told

    def _note(self, match: Match, decision: ToServers) -> str:
        notes = ["too large for option 82"] if decision.too_large else []
        chosen = {
            address.packed for target in match.choice.servers for address in self._relay.answers.of(target)
        }
        if chosen.isdisjoint(decision.servers):
            notes.append("pxe_only: this client reaches the DHCP servers alone")
        return "; ".join(notes)

    def _reply(self, facts: Facts, source: bytes, decision: Decision) -> dict[str, Any]:
        message = facts.message
        told: dict[str, Any] = {
            "server": named_server(self._relay, source),
            "address": _address(message, packet.YIADDR),
            "next_server": _address(message, packet.SIADDR),
            "boot_file": packet.boot_file(message, facts.options)[:_LONGEST],
        }
        if isinstance(decision, ToClient):
            told |= {"sent_to": target_of(decision), "out": decision.port.name}
        return told


def _address(message: packet.Message, field: slice) -> str:
    octets = bytes(message[field])
    return "" if octets == packet.UNSET else str(IPv4Address(octets))
