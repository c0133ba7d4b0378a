"""Makes the corpus's first inputs: one datagram of each shape, from each side."""

from __future__ import annotations

from pathlib import Path

from tests.unit.messages import ACK, NAK, message, option, reply, request

CORPUS = Path(__file__).with_name("corpus")
OVERRIDE = option(11, bytes((10, 10, 10, 1))) + option(10, b"\0")
OURS = option(82, option(1, b"vlan10") + option(2, b"relay") + OVERRIDE)

SEEDS = {
    "discover": b"\0" + request(),
    "discover-option82": b"\1" + request(arch=7),
    "discover-unicast": b"\x81" + request(),
    "plain-dhcp": b"\1" + request(vendor=None, arch=None),
    "relayed": b"\6" + request(giaddr="10.30.7.1"),
    "own-giaddr": b"\6" + request(giaddr="10.10.10.1"),
    "foreign-option82": b"\1" + request(extra=option(82, option(1, b"x"))),
    "trusted-option82": b"\3" + request(extra=option(82, option(1, b"x"))),
    "offer": b"\4" + reply(file=b"pxelinux.0"),
    "ack-option82": b"\5" + reply(ACK, extra=OURS),
    "nak": b"\4" + reply(NAK, yiaddr="0.0.0.0"),
    "broadcast-flag": b"\4" + reply(flags=0x8000),
    "bootp": b"\0" + message(options=None),
    "overload": b"\0" + message(options=option(52, b"\3") + b"\xff", file=option(60, b"PXEClient") + b"\xff"),
    "malformed": b"\0" + message(options=bytes((60, 200, 1)), pad=0),
    "infiniband": b"\0" + request(htype=32, hlen=0),
    "truncated": b"\0" + request()[:235],
}

if __name__ == "__main__":
    for name, octets in SEEDS.items():
        (CORPUS / name).write_bytes(octets)
