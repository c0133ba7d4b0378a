"""Clients that fell to a default: who they are, remembered within bounds, and as rules to paste.

`Unknown` is told of decisions on requests of clients that no rule names, of each client once in a while
(`FastPath.meet_anew`), and notes those that no class takes either. Whoever has got a rule since is left out
when somebody asks. A client is known by its MAC, whichever family it speaks; those of DHCPv6 behind routers
whose MAC nobody tells are kept apart. `ledger6` notes the clients of DHCPv6.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.policy.rules import Reason
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.decision import Dropped, ToServers
from pxerelay.wire import packet
from pxerelay.wire.arch import arch_name
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS, format_mac
from pxerelay.wire.text import printable

MOST = 4096
"""Clients that are remembered: more than somebody gives rules to at a time; 1.4 MB, at worst 6."""

INTERVAL = 5.0
"""Seconds in which a client is noted once, and no more than `MOST` notes are taken.

So a flood of invented addresses costs no more than that, and `last seen` is up to this much behind.
"""

_LONGEST_VENDOR_CLASS, _MOST_VENDOR_CLASSES, _MOST_ARCHITECTURES = 255, 4, 8
"""What is kept of vendor classes and architectures: one option's octets (RFC 2132, 9.13), and more of them
than firmware names."""

_LOOKS = 1024
"""`_Looks` that clients share: one for each VLAN and kind of firmware."""

_LONGEST_SHOWN = 48
"""Characters of a vendor class or vendor that are shown in a comment."""

DEFAULTS = frozenset({Reason.INTERFACE_DEFAULT, Reason.DEFAULT})
"""Kinds of entries that clients fall to."""

_IPV4, _IPV6 = 4, 6


class Looks(NamedTuple):
    """What a client looked like.

    It was heard on `interface`, or through the router with the address `router` (a giaddr, or the source of a
    RELAY-FORW); then there are vendor classes (option 60 or 16) and architectures (93 or 61), and whether it
    was booting from the network.
    """

    interface: str | None
    router: bytes
    vendor_classes: tuple[bytes, ...]
    architectures: tuple[int, ...]
    pxe: bool


class Stranger:
    """A client that fell to a default; `first` and `last` say when, as monotonic times in seconds.

    `chaddr` is its MAC, None if nobody tells it, and then `duid` is its identifier. `looks` are those of its
    last request, but once it has booted from the network, of the last time it did. `families` are those it
    was heard in.
    """

    __slots__ = ("chaddr", "duid", "families", "first", "last", "looks")

    def __init__(self, chaddr: bytes | None, duid: bytes, looks: Looks, family: int, now: float) -> None:
        self.chaddr, self.duid = chaddr, duid
        self.looks = looks
        self.families: tuple[int, ...] = (family,)
        self.first = self.last = now


class _Seen:
    """A remembered client, as rules and classes look at it."""

    claimed = None

    def __init__(self, stranger: Stranger) -> None:
        looks = stranger.looks
        self.chaddr, self.interface = stranger.chaddr, looks.interface
        self.architectures = looks.architectures
        self._vendor_classes = looks.vendor_classes

    def says_class(self, prefix: bytes) -> bool:
        """Whether one of its vendor classes begins with some octets."""
        return any(one.startswith(prefix) for one in self._vendor_classes)


class _Bound:
    """How many clients of one family may be noted in an interval."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._next = float("-inf")

    def is_over(self, now: float) -> bool:
        """Whether an interval is over, and another begins."""
        if now < self._next:
            return False
        self._next, self._left = now + INTERVAL, self._most
        return True

    def take(self, count: int) -> int:
        """Return how many of so many clients may be noted."""
        room = min(count, self._left)
        self._left -= room
        return room


class Unknown:
    """The clients that fell to a default, of which the least recently seen are forgotten.

    `forgotten` counts those, `overlooked` what was not noted since too much came at once.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.forgotten = self.overlooked = 0
        self._strangers: OrderedDict[bytes, Stranger] = OrderedDict()
        self._config: Config
        self._known_looks: dict[Looks, Looks] = {}
        self._bounds = {_IPV4: _Bound(most), _IPV6: _Bound(most)}

    def __len__(self) -> int:
        return len(self._strangers)

    def obey(self, relay: Choosing) -> None:
        """Take decisions of this relay from now on; what is remembered stays."""
        self._config = relay.config

    def looks_again(self, now: float, family: int = _IPV4) -> bool:
        """Whether an interval is over, so that each client of a family is to be told of anew."""
        return self._bounds[family].is_over(now)

    def room_for(self, count: int, family: int = _IPV4) -> int:
        """Return how many of so many clients may be noted in this interval, and count the rest."""
        room = self._bounds[family].take(count)
        self.overlooked += count - room
        return room

    def note(self, message: packet.Message, decision: ToServers | Dropped, now: float) -> None:
        """Note an Ethernet client if it fell to a default; no rule names it.

        `message` is its request, which the mapping decided on.
        """
        match, port = decision.match, decision.port
        if match is None or match.reason not in DEFAULTS:
            return
        facts = decision.client.facts if decision.client else Facts(message)
        looks = Looks(
            port.name if port else None,
            b"" if port else bytes(message[packet.GIADDR]),
            (facts.vendor_class,),
            facts.architectures,
            facts.is_pxe,
        )
        chaddr = bytes(message[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS])
        self.remember(chaddr, looks, port.setting if port else None, _IPV4, now)

    def remember(
        self,
        key: bytes,
        looks: Looks,
        setting: InterfaceSetting | None,
        family: int,
        now: float,
        duid: bytes = b"",
    ) -> None:
        """Remember a client that fell to a default, if there is a boot server to fall to.

        `key` is its MAC; where nobody tells that, something longer that tells it from others, and its `duid`.
        `setting` is that of the interface it was heard on.
        """
        if not _has_a_boot_server_to_fall_to(self._config, setting, pxe=looks.pxe):
            return
        looks = self._shared(looks)
        stranger = self._strangers.get(key)
        if stranger is None:
            if len(self._strangers) >= self.most:
                self._strangers.popitem(last=False)
                self.forgotten += 1
            chaddr = key if len(key) == MAC_OCTETS else None
            self._strangers[key] = Stranger(chaddr, duid, looks, family, now)
            return
        self._strangers.move_to_end(key)
        stranger.last = now
        if family not in stranger.families:
            stranger.families = (_IPV4, _IPV6)
        if looks.pxe or not stranger.looks.pxe:
            stranger.looks = looks

    def _shared(self, looks: Looks) -> Looks:
        """Return looks, of bounded length, that all clients share who look so."""
        if len(self._known_looks) >= _LOOKS:
            self._known_looks.clear()
        classes = tuple(one[:_LONGEST_VENDOR_CLASS] for one in looks.vendor_classes[:_MOST_VENDOR_CLASSES])
        found = looks._replace(
            vendor_classes=classes, architectures=looks.architectures[:_MOST_ARCHITECTURES]
        )
        return self._known_looks.setdefault(found, found)

    def find(self, chaddr: bytes) -> Stranger | None:
        """Return the client with a MAC, if it is remembered."""
        return self._strangers.get(chaddr)

    def newest_first(self) -> list[Stranger]:
        """Return who is remembered, the last seen first."""
        return list(reversed(self._strangers.values()))


def _has_a_boot_server_to_fall_to(config: Config, setting: InterfaceSetting | None, *, pxe: bool) -> bool:
    """Whether clients that are booting from the network, or are not, may reach boot servers at all."""
    return pxe or not (setting.pxe_only if setting else config.pxe_only)


def described(relay: Choosing, stranger: Stranger, now: float) -> dict[str, Any] | None:
    """Return what the control socket tells of a client; None if it would not fall to a default any more."""
    looks, setting = stranger.looks, None
    if looks.interface is not None:
        setting = relay.config.setting_for(looks.interface)
        if setting is None:
            return None
    match = relay.config.policy.choose(_Seen(stranger), setting.default if setting else None)
    reachable = _has_a_boot_server_to_fall_to(relay.config, setting, pxe=looks.pxe)
    if match.reason not in DEFAULTS or not reachable:
        return None
    router = str(ip_address(looks.router)) if looks.router else None
    return {
        "mac": format_mac(stranger.chaddr) if stranger.chaddr else None,
        "duid": stranger.duid.hex() or None,
        "families": list(stranger.families),
        "interface": looks.interface,
        "giaddr": router if len(looks.router) == _IPV4 else None,
        "router": router,
        "pxe": looks.pxe,
        "vendor_class": ", ".join(
            printable(one.decode("ascii", "backslashreplace")) for one in looks.vendor_classes
        ),
        "architectures": list(looks.architectures),
        "reason": match.reason.value,
        "rule": match.rule,
        "server": match.choice.label,
        "first_ago": round(now - stranger.first),
        "last_ago": round(now - stranger.last),
    }


def as_yaml(
    clients: Iterable[Mapping[str, Any]], title: str, nameless: Iterable[Mapping[str, Any]] = ()
) -> str:
    """Return rules that say what applies already: each client, and the server of the default it fell to.

    Of a client that is what `described` returns, with `vendor`, `first_seen` and `last_seen` as texts. MACs
    are quoted, so that Ansible understands them too. Those that are `nameless`, for nobody tells their MACs,
    are comments.
    """
    known, others = list(clients), list(nameless)
    families = any(_IPV6 in client["families"] for client in known)
    rows = [
        (f'  "{client["mac"]}": {_server(client["server"])}', _comment(client, families=families))
        for client in known
    ]
    width = max((len(rule) for rule, _ in rows), default=0)
    lines = [f"# {printable(title)}", *(["rules:"] if rows else [])]
    lines += [f"{rule:{width}}  # {comment}" for rule, comment in rows]
    if others:
        lines.append(f"# {_NAMELESS}")
        lines += [
            f"#   DUID {client['duid'] or 'none'}, {_comment(client, families=False)}" for client in others
        ]
    return "\n".join(lines)


_NAMELESS = "Nobody told the MACs of these, so no rule can name them: option 79 on their router would tell."


def _server(label: str) -> str:
    return f"[{label}]" if "," in label else label


_FAMILIES = {(_IPV4,): "v4", (_IPV6,): "v6", (_IPV4, _IPV6): "v4 and v6"}


def _comment(client: Mapping[str, Any], *, families: bool) -> str:
    """Tell of a client; with `families` also what it was heard in."""
    first, last = client["first_seen"], client["last_seen"]
    if first[:10] == last[:10]:  # the same day
        last = last[10:].strip()
    interface_default = client["reason"] == Reason.INTERFACE_DEFAULT.value
    parts = (
        client["interface"] or f"behind router {client['router']}",
        _FAMILIES[tuple(client["families"])] if families else "",
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
    known = (name.decode() for name in packet.PXE_VENDOR_CLASSES if name.decode() in vendor_class)
    name = next(known, "network boot")
    return " ".join((name, " and ".join(map(arch_name, client["architectures"])))).strip()


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
