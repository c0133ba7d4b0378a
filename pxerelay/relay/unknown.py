"""Clients that fell to a default: who they are, remembered within bounds, and as rules to paste.

`Unknown` is told of decisions on requests of clients that no rule names, of each client once in a while
(`FastPath.meet_anew`), and notes those that no class takes either. Whoever has got a rule since is left out
when somebody asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.policy.rules import Reason
from pxerelay.relay.decision import Dropped, ToServers
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet
from pxerelay.wire.arch import arch_name
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS, format_mac
from pxerelay.wire.text import printable

MOST = 4096
"""Clients that are remembered: more than somebody gives rules to at a time; 1 MB, at worst 6."""

INTERVAL = 5.0
"""Seconds in which a client is noted once, and no more than `MOST` notes are taken.

So a flood of invented addresses costs no more than that, and `last seen` is up to this much behind.
"""

_LONGEST_VENDOR_CLASS, _MOST_ARCHITECTURES = 255, 8
"""What is kept of options 60 and 93: one option's octets (RFC 2132, 9.13), and more than firmware names."""

_LOOKS = 1024
"""`_Looks` that clients share: one for each VLAN and kind of firmware."""

_LONGEST_SHOWN = 48
"""Characters of a vendor class or vendor that are shown in a comment."""

_DEFAULTS = frozenset({Reason.INTERFACE_DEFAULT, Reason.DEFAULT})


class _Looks(NamedTuple):
    """What a client looked like.

    It was heard on `interface`, or through the router with the address `giaddr`; then there are options 60
    and 93, and whether it was booting from the network.
    """

    interface: str | None
    giaddr: bytes
    vendor_class: bytes
    architectures: tuple[int, ...]
    pxe: bool


class Stranger:
    """A client that fell to a default; `first` and `last` say when, as monotonic times in seconds.

    `looks` are those of its last request, but once it has booted from the network, of the last time it did.
    """

    __slots__ = ("chaddr", "first", "last", "looks")

    def __init__(self, chaddr: bytes, looks: _Looks, now: float) -> None:
        self.chaddr = chaddr
        self.looks = looks
        self.first = self.last = now


class Unknown:
    """The clients that fell to a default, of which the least recently seen are forgotten.

    `forgotten` counts those, `overlooked` what was not noted since too much came at once.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.forgotten = self.overlooked = 0
        self._strangers: OrderedDict[bytes, Stranger] = OrderedDict()
        self._config: Config
        self._known_looks: dict[_Looks, _Looks] = {}
        self._next = float("-inf")
        self._left = most

    def __len__(self) -> int:
        return len(self._strangers)

    def obey(self, relay: Relay) -> None:
        """Take decisions of this relay from now on; what is remembered stays."""
        self._config = relay.config

    def looks_again(self, now: float) -> bool:
        """Whether an interval is over, so that each client is to be told of anew."""
        if now < self._next:
            return False
        self._next = now + INTERVAL
        self._left = self.most
        return True

    def room_for(self, count: int) -> int:
        """Return how many of so many clients may be noted in this interval, and count the rest."""
        room = min(count, self._left)
        self._left -= room
        self.overlooked += count - room
        return room

    def note(self, message: packet.Message, decision: ToServers | Dropped, now: float) -> None:
        """Note an Ethernet client if it fell to a default; no rule names it.

        `message` is its request, which the mapping decided on.
        """
        match, port = decision.match, decision.port
        if match is None or match.reason not in _DEFAULTS:
            return
        facts = decision.client.facts if decision.client else Facts(message)
        if not _has_a_boot_server_to_fall_to(self._config, port.setting if port else None, pxe=facts.is_pxe):
            return
        looks = self._shared(
            port.name if port else None,
            b"" if port else bytes(message[packet.GIADDR]),
            facts.vendor_class[:_LONGEST_VENDOR_CLASS],
            facts.architectures[:_MOST_ARCHITECTURES],
            facts.is_pxe,
        )
        self._remember(bytes(message[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS]), looks, now)

    def _shared(self, *looks: Any) -> _Looks:
        """Return looks that all clients share who look so."""
        if len(self._known_looks) >= _LOOKS:
            self._known_looks.clear()
        found = _Looks(*looks)
        return self._known_looks.setdefault(found, found)

    def _remember(self, chaddr: bytes, looks: _Looks, now: float) -> None:
        stranger = self._strangers.get(chaddr)
        if stranger is None:
            if len(self._strangers) >= self.most:
                self._strangers.popitem(last=False)
                self.forgotten += 1
            self._strangers[chaddr] = Stranger(chaddr, looks, now)
            return
        self._strangers.move_to_end(chaddr)
        stranger.last = now
        if looks.pxe or not stranger.looks.pxe:
            stranger.looks = looks

    def newest_first(self) -> list[Stranger]:
        """Return who is remembered, the last seen first."""
        return list(reversed(self._strangers.values()))


def _has_a_boot_server_to_fall_to(config: Config, setting: InterfaceSetting | None, *, pxe: bool) -> bool:
    """Whether clients that are booting from the network, or are not, may reach boot servers at all."""
    return pxe or not (setting.pxe_only if setting else config.pxe_only)


def described(relay: Relay, stranger: Stranger, now: float) -> dict[str, Any] | None:
    """Return what the control socket tells of a client; None if it would not fall to a default any more."""
    looks, setting = stranger.looks, None
    if looks.interface is not None:
        setting = relay.config.setting_for(looks.interface)
        if setting is None:
            return None
    client = DescribedClient(stranger.chaddr, looks.interface, looks.vendor_class, looks.architectures)
    match = relay.config.policy.choose(client, setting.default if setting else None)
    reachable = _has_a_boot_server_to_fall_to(relay.config, setting, pxe=client.is_pxe)
    if match.reason not in _DEFAULTS or not reachable:
        return None
    return {
        "mac": format_mac(stranger.chaddr),
        "interface": looks.interface,
        "giaddr": str(IPv4Address(looks.giaddr)) if looks.giaddr else None,
        "pxe": looks.pxe,
        "vendor_class": printable(looks.vendor_class.decode("ascii", "backslashreplace")),
        "architectures": list(looks.architectures),
        "reason": match.reason.value,
        "rule": match.rule,
        "server": match.choice.label,
        "first_ago": round(now - stranger.first),
        "last_ago": round(now - stranger.last),
    }


def as_yaml(clients: Iterable[Mapping[str, Any]], title: str) -> str:
    """Return rules that say what applies already: each client, and the server of the default it fell to.

    Of a client that is what `described` returns, with `vendor`, `first_seen` and `last_seen` as texts. MACs
    are quoted, so that Ansible understands them too.
    """
    rows = [(f'  "{client["mac"]}": {_server(client["server"])}', _comment(client)) for client in clients]
    width = max((len(rule) for rule, _ in rows), default=0)
    return "\n".join(
        [f"# {printable(title)}", *(["rules:"] if rows else [])]
        + [f"{rule:{width}}  # {comment}" for rule, comment in rows]
    )


def _server(label: str) -> str:
    return f"[{label}]" if "," in label else label


def _comment(client: Mapping[str, Any]) -> str:
    first, last = client["first_seen"], client["last_seen"]
    if first[:10] == last[:10]:  # the same day
        last = last[10:].strip()
    interface_default = client["reason"] == Reason.INTERFACE_DEFAULT.value
    parts = (
        client["interface"] or f"behind router {client['giaddr']}",
        _kind(client),
        _shortened(client["vendor"]),
        f"first seen {first}",
        f"last {last}",
        f"by the default of {client['rule']}" if interface_default else "by the default",
    )
    return printable(", ".join(filter(None, parts)))


def _kind(client: Mapping[str, Any]) -> str:
    vendor_class = client["vendor_class"]
    if not client["pxe"]:
        return f"not booting from the network{f' ({_shortened(vendor_class)})' if vendor_class else ''}"
    name = next(
        known.decode() for known in packet.PXE_VENDOR_CLASSES if vendor_class.startswith(known.decode())
    )
    return " ".join((name, " and ".join(map(arch_name, client["architectures"])))).strip()


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
