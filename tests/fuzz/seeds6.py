"""Makes the first inputs of DHCPv6's corpus: one datagram of each shape, from each side.

`recorded-*` in the corpus are messages of real firmware and servers (OVMF, iPXE, Kea, ISC dhcpd, dnsmasq).
"""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.target6 import CHOOSY, NAMELESS, PLAIN, TRUSTS, first_octets
from tests.unit.configs6 import LINK10, LINK20
from tests.unit.messages6 import (
    ADVERTISE,
    INFORMATION_REQUEST,
    REPLY,
    REQUEST,
    SERVER_DUID,
    boot,
    hardware,
    ip6,
    message,
    option,
    plain,
    relayed,
    release,
)

CORPUS = Path(__file__).with_name("corpus6")

CLIENT, CLIENT20, LISTED, NO_MAC, GLOBAL, TO_DROP, OLD, SWITCH, UNICAST, WAITING, NOWHERE = range(11)
NO_SOURCE, OURS, RIS, DHCP, ALTIRIS, STRANGER, ROUTER, ODD_PORT, NEAR_ROUTER, WRONG_GROUP, LOOP = range(
    11, 22
)
"""The arrivals of the target."""

_OFFER = message(ADVERTISE, option(3, bytes(12) + option(5, ip6("2001:db8:10::183") + bytes(8))))
_REFUSED = message(REPLY, option(3, bytes(12) + option(13, b"\0\2no subnet")))
_DOWN = relayed(_OFFER, kind=13, link="2001:db8:30:7::1", peer="fe80::9")


def _reply(inside: bytes, *, name: bytes | None = b"vlan10", link: str = LINK10, **more: str) -> bytes:
    front = b"" if name is None else option(18, name)
    return relayed(inside, kind=13, link=link, front=front, **more)  # type: ignore[arg-type]


def _nested(depth: int) -> bytes:
    octets = boot()
    for _ in range(depth):
        octets = relayed(octets, hops=3)
    return octets


SEEDS = {
    "solicit": first_octets(PLAIN, CLIENT) + boot(),
    "solicit-to-the-dhcp-server-s-class": first_octets(CHOOSY, CLIENT) + boot(),
    "solicit-bios": first_octets(CHOOSY, CLIENT) + boot(number=0),
    "solicit-listed": first_octets(PLAIN, LISTED) + boot(),
    "solicit-vlan20": first_octets(CHOOSY, CLIENT20) + boot(number=0),
    "solicit-no-mac": first_octets(CHOOSY, NO_MAC) + boot(number=0),
    "solicit-global": first_octets(TRUSTS, GLOBAL) + boot(REQUEST),
    "solicit-mapped-to-drop": first_octets(PLAIN, TO_DROP) + boot(),
    "solicit-no-ipv6-server": first_octets(PLAIN, OLD) + boot(),
    "solicit-to-the-dhcp-servers": first_octets(CHOOSY, OLD) + boot(),
    "solicit-unresolved": first_octets(NAMELESS, CLIENT) + boot(),
    "plain": first_octets(CHOOSY, CLIENT) + plain(),
    "plain-to-nobody": first_octets(NAMELESS, CLIENT) + plain(),
    "solicit-one-of-two": first_octets(PLAIN, LISTED, pooled=True) + boot(),
    "solicit-one-of-two-vlan20": first_octets(CHOOSY, CLIENT20, pooled=True) + boot(number=0),
    "request-one-of-two-by-name": first_octets(PLAIN, LISTED, pooled=True)
    + boot(REQUEST, option(2, SERVER_DUID)),
    "relayed-one-of-two": first_octets(PLAIN, ROUTER, pooled=True)
    + relayed(boot(), front=hardware("00:80:64:00:00:01")),
    "release": first_octets(CHOOSY, CLIENT) + release(),
    "release-vlan20": first_octets(CHOOSY, CLIENT20) + release(),
    "information-request": first_octets(PLAIN, CLIENT) + message(INFORMATION_REQUEST),
    "unknown-type": first_octets(PLAIN, CLIENT) + message(99),
    "cut-off": first_octets(CHOOSY, CLIENT) + boot()[:-3],
    "stray-octet": first_octets(CHOOSY, CLIENT) + boot() + b"\0",
    "many-options": first_octets(CHOOSY, CLIENT) + boot(extra=option(65000) * 64),
    "large": first_octets(TRUSTS, CLIENT) + boot().ljust(1440, b"\0"),
    "truncated": first_octets(PLAIN, CLIENT) + b"\1\2\3",
    "advertise": first_octets(PLAIN, CLIENT) + message(ADVERTISE),
    "solicit-that-says-advertise": first_octets(PLAIN, CLIENT) + boot(ADVERTISE),
    "unicast": first_octets(PLAIN, UNICAST) + boot(),
    "waiting": first_octets(PLAIN, WAITING) + boot(),
    "nowhere": first_octets(PLAIN, NOWHERE) + boot(),
    "no-source": first_octets(PLAIN, NO_SOURCE) + boot(),
    "from-this-host": first_octets(PLAIN, OURS) + boot(),
    "relayed": first_octets(PLAIN, ROUTER) + relayed(boot(), front=hardware("00:11:22:33:44:55")),
    "relayed-eui64": first_octets(CHOOSY, ROUTER) + relayed(boot(), peer="fe80::280:64ff:fe00:1"),
    "relayed-twice": first_octets(CHOOSY, ROUTER) + relayed(relayed(boot(number=0)), hops=1),
    "relayed-odd-port": first_octets(TRUSTS, ODD_PORT) + relayed(boot(), peer="fe80::1"),
    "relayed-on-a-vlan": first_octets(TRUSTS, NEAR_ROUTER) + relayed(boot()),
    "relayed-wrong-group": first_octets(PLAIN, WRONG_GROUP) + relayed(boot()),
    "relayed-by-a-stranger": first_octets(PLAIN, STRANGER) + relayed(boot()),
    "relayed-too-often": first_octets(PLAIN, ROUTER) + relayed(boot(), hops=4),
    "relayed-by-ourselves": first_octets(PLAIN, ROUTER) + relayed(relayed(boot(), link=LINK20), hops=1),
    "relayed-loop": first_octets(PLAIN, LOOP) + relayed(boot()),
    "relayed-too-deep": first_octets(PLAIN, ROUTER) + _nested(10),
    "relayed-nine-deep": first_octets(PLAIN, ROUTER) + _nested(9),
    "relayed-nothing": first_octets(PLAIN, ROUTER) + relayed(b"\1"),
    "switch": first_octets(TRUSTS, SWITCH) + relayed(boot(), front=option(18, b"port7")),
    "switch-not-trusted": first_octets(PLAIN, SWITCH) + relayed(boot(), front=option(18, b"port7")),
    "reply": first_octets(PLAIN, RIS) + _reply(_OFFER),
    "reply-one-of-two": first_octets(PLAIN, ALTIRIS, pooled=True)
    + _reply(message(ADVERTISE, option(2, SERVER_DUID))),
    "reply-refused": first_octets(PLAIN, DHCP) + _reply(_REFUSED, name=b"vlan20"),
    "reply-by-link-address": first_octets(PLAIN, RIS) + _reply(_OFFER, name=None),
    "reply-one-name-for-all": first_octets(NAMELESS, DHCP) + _reply(_OFFER, name=b"all", link=LINK20),
    "reply-to-nowhere": first_octets(PLAIN, RIS) + _reply(_OFFER, name=b"foo"),
    "reply-to-the-group": first_octets(PLAIN, RIS) + _reply(_OFFER, peer="ff02::1"),
    "reply-down": first_octets(PLAIN, RIS) + _reply(_DOWN, name=None, link="::", peer="2001:db8:30::1"),
    "reply-down-on-a-vlan": first_octets(PLAIN, RIS) + _reply(_DOWN, peer="2001:db8:30::1"),
    "reply-to-a-switch": first_octets(TRUSTS, RIS) + _reply(_DOWN),
    "reply-to-a-port": first_octets(TRUSTS, RIS)
    + relayed(_DOWN, kind=13, peer="2001:db8:30::1", behind=option(135, b"\3\xe8")),
    "reply-of-nothing": first_octets(PLAIN, RIS) + _reply(b"\7\0"),
    "reply-from-a-stranger": first_octets(PLAIN, STRANGER) + _reply(_OFFER),
    "reply-from-another-port": first_octets(PLAIN, ALTIRIS) + _reply(_OFFER),
    "reply-from-a-client": first_octets(PLAIN, CLIENT) + _reply(_OFFER),
}

if __name__ == "__main__":
    CORPUS.mkdir(exist_ok=True)
    for name, octets in SEEDS.items():
        (CORPUS / name).write_bytes(octets)
