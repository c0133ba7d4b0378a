"""What became of a message: facts for programs, and the same in words an administrator understands.

`AnyAccount` and `AnyNarrator` are what both families share, `Account` and `Narrator` are DHCPv4's; `account6`
has DHCPv6's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, ClassVar

from pxerelay.policy.rules import RULES, Match, Reason
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.decision import MEANING, Decision, Drop, Dropped, ToClient, ToServers
from pxerelay.relay.relay import Relay
from pxerelay.relay.words import client_kind, client_mac, entry_text, message_name, named_server, target_of
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts

if TYPE_CHECKING:
    from typing_extensions import Self

LONGEST = 400
"""Characters that are kept of what a message says of its client or boot file: more than either needs."""


@dataclass(frozen=True)
class AnyAccount(ABC):
    """One message and what became of it. All values are such as JSON has; what is not known is empty.

    Of every message: the client's `mac`, the `interface` it came in on, who sent it (`sender`), whether it
    is a `request`, its type (`message`) and `xid`; and if it was dropped, the reason's name and meaning. Of a
    request what the client is (`client`, `pxe`), which entry chose (`reason`, `rule`, `choice`, as in
    `explain`), the `servers` that got it, in a `vrf`, and the `router` that it came through. Of a reply the
    `server`, the boot file that it offers, whom it went to (`sent_to`) and on which interface (`out`).
    """

    family: ClassVar[int]

    mac: str
    interface: str
    sender: str
    request: bool
    message: str = ""
    xid: str = ""
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
    boot_file: str = ""
    sent_to: str = ""
    out: str = ""
    dropped: str = ""
    meaning: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The same as a mapping for JSON."""
        told = {"family": self.family, **vars(self)}  # asdict() takes as long as relaying two messages
        told["servers"] = tuple(vars(server).copy() for server in self.servers)
        told["server"] = vars(self.server).copy() if self.server else None
        return told

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `plain` returned, once it went through JSON; what else it holds is passed over."""
        own = {one.name: plain[one.name] for one in fields(cls) if one.name in plain}
        own["servers"] = tuple(NamedServer(**server) for server in own.get("servers", ()))
        own["server"] = NamedServer(**own["server"]) if own.get("server") else None
        return cls(**own)

    def text(self, place: str = "", after: str = "") -> str:
        """Return one line: who asked, on which VLAN, which rule, sent where; or what came back.

        `place` is the `file:line` of the entry that chose, `after` how long the answer took.
        """
        if not self.message:
            return f"{self._unread()}: dropped, {self.meaning}"
        if not self.request:
            return f"{self.who}: {self._reply(after)}"
        return f"{self.who} on {self._where()}: {self.message} ({self._described()}){self._request(place)}"

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
        return f"{chosen}; sent to {servers} with {self._stands_for()}{where}{note}"

    def _reply(self, after: str) -> str:
        text = ", ".join([f"{self.message} from {self.server}{after}", *self._offered()])
        if self.dropped:
            return f"{text}; dropped: {self.meaning}"
        return f"{text}; sent to {self.sent_to}{f' on {self.out}' if self.out else ''}"

    @property
    @abstractmethod
    def who(self) -> str:
        """What the client is called."""

    @property
    def refusal(self) -> str:
        """What a reply says in the place of an address."""
        return ""

    @property
    def unanswered(self) -> str:
        """What that means of a request that no answer to it was heard."""
        looks = "is the server up, has it a route to"
        return f" and no answer came: {looks} {self._returning()}?"

    @abstractmethod
    def _returning(self) -> str:
        """Name what a server needs to answer."""

    @abstractmethod
    def _unread(self) -> str:
        """Name a message that says nothing that could be read."""

    @abstractmethod
    def _where(self) -> str:
        """Tell where a request was heard."""

    @abstractmethod
    def _described(self) -> str:
        """Tell what a request says of its client."""

    @abstractmethod
    def _stands_for(self) -> str:
        """Name the address that stands for the client's VLAN."""

    @abstractmethod
    def _offered(self) -> Iterator[str]:
        """Yield what a reply offers."""


@dataclass(frozen=True)
class Account(AnyAccount):
    """An account of a DHCPv4 message.

    `giaddr` is the one it left with; a reply offers an `address`, and a boot file on `next_server`. Answers
    go to the `router` that a request came through.
    """

    family: ClassVar[int] = 4

    giaddr: str = ""
    address: str = ""
    next_server: str = ""

    @property
    def who(self) -> str:
        """Its MAC, if it has one."""
        return self.mac or "(no address)"

    @property
    def unanswered(self) -> str:
        """What that means of a request that no answer to it was heard: a router's never comes this way."""
        if self.router:
            return f", and answers go to router {self.router}, not through us"
        return super().unanswered

    def _returning(self) -> str:
        return f"{self.giaddr} and a scope for that subnet"

    def _unread(self) -> str:
        return f"from {self.sender} on {self.interface}"

    def _where(self) -> str:
        return self.interface if self.sender == _UNSET else f"{self.interface} from {self.sender}"

    def _described(self) -> str:
        return self.client

    def _stands_for(self) -> str:
        return f"giaddr {self.giaddr}"

    def _offered(self) -> Iterator[str]:
        if self.address:
            yield f"address {self.address}"
        if self.boot_file:
            yield f"boot file {self.boot_file}"


_UNSET = str(IPv4Address(packet.UNSET))


class AnyNarrator:
    """Puts accounts of one relay's decisions in words. `place_of` tells where a rule stands, `file:line`."""

    def __init__(self, place_of: Callable[[str], str] | None) -> None:
        self._place_of = place_of

    def text(self, account: AnyAccount) -> str:
        """Return an account as a line of text."""
        named = self._place_of and account.reason and Reason(account.reason) in RULES
        return account.text(self._place_of(account.rule) if named and self._place_of else "")


def chosen(match: Match) -> dict[str, Any]:
    """Return what an account has of the entry that chose."""
    return {"reason": match.reason.value, "rule": match.rule, "choice": match.choice.label}


def sent(relay: Choosing, servers: Sequence[bytes], vrf: str) -> dict[str, Any]:
    """Return what an account has of the servers that got a request, in a VRF with a name."""
    return {"servers": tuple(named_server(relay, address) for address in servers), "vrf": vrf}


class Narrator(AnyNarrator):
    """Gives accounts of the decisions of one relay of DHCPv4."""

    def __init__(self, relay: Relay, place_of: Callable[[str], str] | None = None) -> None:
        super().__init__(place_of)
        self._relay = relay

    def tell(self, facts: Facts, interface: str, source: bytes, decision: Decision) -> str:
        """Return an account as a line of text; `account` has the arguments."""
        return self.text(self.account(facts, interface, source, decision))

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
        told: dict[str, Any] = {"client": client_kind(facts)[:LONGEST], "pxe": facts.is_pxe}
        match = None if isinstance(decision, ToClient) else decision.match
        if isinstance(decision, ToClient) or match is None:
            return told
        giaddr = str(IPv4Address(bytes(facts.message[packet.GIADDR])))
        told["router"] = "" if decision.port else giaddr
        told |= chosen(match)
        if isinstance(decision, ToServers):
            told |= sent(self._relay, decision.servers, self._relay.vrfs.get(decision.vrf, ""))
            told["note"] = self._note(match, decision)
        return told

    def _note(self, match: Match, decision: ToServers) -> str:
        notes = ["too large for option 82"] if decision.too_large else []
        servers = {
            address.packed for target in match.choice.servers for address in self._relay.answers.of(target)
        }
        if servers.isdisjoint(decision.servers):
            notes.append("pxe_only: this client reaches the DHCP servers alone")
        return "; ".join(notes)

    def _reply(self, facts: Facts, source: bytes, decision: Decision) -> dict[str, Any]:
        message = facts.message
        told: dict[str, Any] = {
            "server": named_server(self._relay, source),
            "address": _address(message, packet.YIADDR),
            "next_server": _address(message, packet.SIADDR),
            "boot_file": packet.boot_file(message, facts.options)[:LONGEST],
        }
        if isinstance(decision, ToClient):
            told |= {"sent_to": target_of(decision), "out": decision.port.name}
        return told


def _address(message: packet.Message, field: slice) -> str:
    octets = bytes(message[field])
    return "" if octets == packet.UNSET else str(IPv4Address(octets))
