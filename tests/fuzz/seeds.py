"""Makes the corpus's first inputs: one datagram of each shape, from each side."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.target import first_octet
from tests.unit.messages import ACK, NAK, message, option, reply, request

CORPUS = Path(__file__).with_name("corpus")

PLAIN, IDS, SHARED, BARE = range(4)
"""The relays of the target."""
CLIENT, CLIENT20, RIS, ALTIRIS, ROUTER, STRANGER, WAITING, NOWHERE = range(8)
"""The arrivals of the target."""

_OVERRIDE = option(11, bytes((10, 10, 10, 1))) + option(10, b"\0")
_IDS = option(82, option(1, b"vlan10") + option(2, b"relay") + _OVERRIDE)
_LINK = option(5, bytes((10, 10, 10, 1)))
_DUID = option(12, bytes.fromhex("00030001020000000001"))
_SHARED = option(82, option(1, b"vlan20") + option(5, bytes((10, 10, 20, 1))) + _DUID)
_FOREIGN = option(82, option(1, b"x"))
_CLASS = option(60, b"PXEClient")

SEEDS = {
    "discover": first_octet(PLAIN, CLIENT) + request(),
    "discover-option82": first_octet(IDS, CLIENT) + request(arch=7),
    "discover-one-of-two": first_octet(PLAIN, CLIENT20, pooled=True) + request(),
    "discover-one-of-two-listed": first_octet(PLAIN, CLIENT, pooled=True)
    + request(chaddr="00:11:22:33:44:55"),
    "request-one-of-two-option82": first_octet(IDS, CLIENT20, pooled=True) + request(3, arch=0),
    "relayed-one-of-two": first_octet(PLAIN, ROUTER, pooled=True)
    + request(giaddr="10.30.7.1", chaddr="00:80:64:00:00:01"),
    "discover-unicast": first_octet(IDS, CLIENT, unicast=True) + request(),
    "discover-shared-giaddr": first_octet(SHARED, CLIENT20) + request(),
    "discover-unresolved": first_octet(BARE, CLIENT) + request(),
    "discover-listed-without-ids": first_octet(BARE, CLIENT) + request(chaddr="00:11:22:33:44:55"),
    "discover-waiting": first_octet(BARE, WAITING) + request(),
    "discover-nowhere": first_octet(PLAIN, NOWHERE) + request(),
    "discover-listed": first_octet(PLAIN, CLIENT) + request(chaddr="00:11:22:33:44:55"),
    "discover-mapped-to-drop": first_octet(PLAIN, CLIENT) + request(chaddr="de:ad:be:ef:00:01"),
    "plain-dhcp": first_octet(IDS, CLIENT) + request(vendor=None, arch=None),
    "plain-dhcp-to-nobody": first_octet(SHARED, CLIENT) + request(vendor=None, arch=None),
    "large-option82": first_octet(IDS, CLIENT) + request().ljust(1460, b"\0"),
    "small-option57": first_octet(IDS, CLIENT) + request(extra=option(57, b"\1\x50")),
    "relayed": first_octet(PLAIN, ROUTER) + request(giaddr="10.30.7.1"),
    "relayed-by-a-stranger": first_octet(PLAIN, STRANGER) + request(giaddr="10.30.7.1"),
    "relayed-too-often": first_octet(PLAIN, ROUTER) + request(giaddr="10.30.7.1", hops=5),
    "own-giaddr": first_octet(PLAIN, ROUTER) + request(giaddr="10.10.10.1"),
    "foreign-option82": first_octet(IDS, CLIENT) + request(extra=_FOREIGN),
    "trusted-option82": first_octet(IDS, CLIENT20) + request(extra=_FOREIGN),
    "offer": first_octet(PLAIN, RIS) + reply(file=b"pxelinux.0"),
    "offer-large": first_octet(PLAIN, RIS) + reply().ljust(1400, b"\0"),
    "offer-proxy": first_octet(PLAIN, RIS) + reply(yiaddr="0.0.0.0", extra=_CLASS),
    "offer-foreign-giaddr": first_octet(PLAIN, RIS) + reply(giaddr="10.30.7.1"),
    "offer-forged": first_octet(PLAIN, STRANGER) + reply(),
    "ack-ciaddr": first_octet(PLAIN, RIS) + reply(ACK, ciaddr="10.10.10.9"),
    "ack-option82": first_octet(IDS, RIS) + reply(ACK, extra=_IDS),
    "ack-option82-without-ids": first_octet(BARE, ALTIRIS) + reply(ACK, extra=option(82, _LINK + _OVERRIDE)),
    "ack-option82-shared-giaddr": first_octet(SHARED, RIS) + reply(ACK, giaddr="10.20.0.1", extra=_SHARED),
    "ack-shared-giaddr-without-circuit-id": first_octet(SHARED, RIS) + reply(ACK, giaddr="10.20.0.1"),
    "ack-option82-then-damage": first_octet(IDS, RIS) + reply(ACK, extra=_IDS + bytes((43, 200))),
    "ack-option82-behind-another": first_octet(IDS, RIS) + reply(ACK, extra=_FOREIGN + _IDS),
    "ack-foreign-option82": first_octet(IDS, RIS) + reply(ACK, extra=_FOREIGN),
    "nak": first_octet(PLAIN, RIS) + reply(NAK, yiaddr="0.0.0.0"),
    "broadcast-flag": first_octet(PLAIN, RIS) + reply(flags=0x8000),
    "bootp": first_octet(PLAIN, CLIENT) + message(options=None),
    "overload": first_octet(IDS, CLIENT)
    + message(
        options=option(52, b"\3") + b"\xff", file=_CLASS + b"\xff", sname=option(93, b"\0\7") + b"\xff"
    ),
    "split": first_octet(IDS, CLIENT) + message(options=option(60, b"PXEC") + option(60, b"lient") + b"\xff"),
    "malformed": first_octet(PLAIN, CLIENT) + message(options=bytes((60, 200, 1)), pad=0),
    "no-end": first_octet(IDS, CLIENT) + message(options=option(53, b"\1") + _CLASS, pad=0),
    "infiniband": first_octet(PLAIN, CLIENT) + request(htype=32, hlen=0),
    "hlen": first_octet(PLAIN, CLIENT) + request(hlen=17),
    "op": first_octet(PLAIN, CLIENT) + message(op=3),
    "truncated": first_octet(PLAIN, CLIENT) + request()[:235],
}

if __name__ == "__main__":
    for name, octets in SEEDS.items():
        (CORPUS / name).write_bytes(octets)
