"""What becomes of a packet of a capture, and whom it is about: what DHCPv4 and DHCPv6 share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol

from pxerelay.policy.rules import Match
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.decision import Drop
from pxerelay.relay.decision6 import Drop6
from pxerelay.wire.dissect import AnyDatagram

NO_ADDRESS = "(no address)"
"""In the place of the MAC of a client that has none."""


class Fate(Enum):
    """What becomes of a packet."""

    RELAYED = "relayed"
    DROPPED = "dropped"
    ALREADY = "already relayed"
    NOT_FOR_US = "not for the relay"
    UNDECIDED = "undecided"


class AnySubject(Protocol):
    """Who a packet is about; `kind` is what that client is, `interface` where it was heard, if known."""

    @property
    def mac(self) -> str:
        """Its MAC, or a text in the place of that."""
        ...

    @property
    def interface(self) -> str | None:
        """The client interface."""
        ...

    @property
    def kind(self) -> str:
        """What it is, in words."""
        ...

    @property
    def who(self) -> str:
        """What tells it from other clients."""
        ...

    @property
    def label(self) -> str:
        """What it is called in a line of text."""
        ...

    @property
    def place(self) -> str:
        """Where it is, in words."""
        ...

    @property
    def plain(self) -> Mapping[str, Any]:
        """All of it for JSON."""
        ...


class Subject(NamedTuple):
    """Who a DHCPv4 packet is about, and what that client is.

    `interface` is where it was heard, if that is known, and `giaddr` a relay agent's that is not us.
    """

    mac: str = NO_ADDRESS
    interface: str | None = None
    giaddr: str | None = None
    kind: str = ""

    @property
    def who(self) -> str:
        """What tells it from other clients."""
        return self.mac

    @property
    def label(self) -> str:
        """What it is called in a line of text."""
        return self.mac

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return self.interface or (f"giaddr {self.giaddr}" if self.giaddr else "?")

    @property
    def plain(self) -> Mapping[str, Any]:
        """All of it for JSON."""
        return {
            "mac": self.mac,
            "interface": self.interface,
            "giaddr": self.giaddr,
            "kind": self.kind or None,
        }


@dataclass(frozen=True)
class Verdict:
    """A packet and what becomes of it.

    `reason` tells in words why it is not relayed, `match` which entry chose, `source` its `file:line`.
    `servers` are those that get a request; `standing` is the address in it that stands for the client's VLAN,
    `called` what that is called. `target` is who gets a reply. `sent` are the octets that leave.
    """

    called: ClassVar[str] = "giaddr"

    datagram: AnyDatagram
    subject: AnySubject
    message: str
    is_reply: bool = False
    fate: Fate = Fate.UNDECIDED
    reason: str = ""
    drop: Drop | Drop6 | None = None
    match: Match | None = None
    source: str = ""
    servers: tuple[NamedServer, ...] = ()
    standing: str = ""
    target: str = ""
    sent: bytes | None = None

    @property
    def is_decided(self) -> bool:
        """Whether the relay had a say in it."""
        return self.fate in (Fate.RELAYED, Fate.DROPPED)


class Decider(Protocol):
    """What decides on the packets of a capture."""

    def verdict(self, datagram: AnyDatagram) -> Verdict:
        """Return what becomes of a packet."""
        ...

    def request(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a request that comes to the relay, given who it is about."""
        ...
