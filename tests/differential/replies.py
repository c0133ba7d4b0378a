"""What servers may send to the relay, one feature of a message after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from tests.differential.cases import (
    ANSWERED,
    CLIENT,
    FORGED,
    OTHER_VLAN_ADDRESS,
    SUBNET_BROADCAST,
    Case,
)
from tests.differential.requests import AGENT_INFO, FOREIGN, put
from tests.lab.frames import EVERYONE, Checksum
from tests.lab.relays import GIADDR
from tests.lab.topology import RELAY_CORE, RIS
from tests.unit.messages import ACK, NAK, OFFER, ip, message, option, reply, request

PROXY = option(60, b"PXEClient") + option(43, bytes((6, 1, 8, 255)))
ECHOED = option(82, option(1, b"vlan10"))
"""What a relay here adds to requests."""
NOBODY = "10.10.10.99"
"""An address of the client's subnet that answers no ARP."""


def answer(options: bytes | None, *, sname: bytes = b"", file: bytes = b"", pad: int = 300) -> bytes:
    """Return a reply to a client that has no address yet, with these options as they stand."""
    fields = message(
        op=2, yiaddr="10.10.10.100", giaddr=GIADDR, options=options, sname=sname, file=file, pad=pad
    )
    return bytes(fields)


def replies() -> Iterator[Case]:
    """Yield every systematic case that comes from the servers' side."""
    for name, octets in (*_addressing(), *_header(), *_options(), *_agent_info(), *_sizes()):
        yield Case(f"reply, {name}", octets, ANSWERED)
    yield from _delivered()
    yield from _forged()


def _addressing() -> Iterator[tuple[str, bytes]]:
    kinds = (OFFER, ACK, NAK, 8, None)
    flags = (0, 0x8000, 0x7FFF)
    addresses = ("0.0.0.0", CLIENT, NOBODY)
    shapes = product(kinds, flags, addresses, (False, True))
    for number, (kind, flag, ciaddr, has_yiaddr) in enumerate(shapes, 1):
        # an address of its own, so that no answer profits from an earlier one's ARP entry
        yiaddr = f"10.10.10.{100 + number}" if has_yiaddr else "0.0.0.0"
        name = f"type {kind} flags {flag:#x} ciaddr {ciaddr} yiaddr {has_yiaddr}"
        if kind is None:
            bootp = message(op=2, ciaddr=ciaddr, yiaddr=yiaddr, giaddr=GIADDR, flags=flag, options=b"\xff")
            yield name, bytes(bootp)
        else:
            yield name, bytes(reply(kind, ciaddr=ciaddr, yiaddr=yiaddr, flags=flag))
    for flag in (0, 0x8000):
        offer = reply(OFFER, yiaddr="0.0.0.0", flags=flag, extra=PROXY, file=b"boot/net.efi")
        yield f"proxyDHCP offer flags {flag:#x}", bytes(offer)
        ack = reply(ACK, yiaddr="0.0.0.0", ciaddr=CLIENT, flags=flag, extra=PROXY)
        yield f"proxyDHCP ack flags {flag:#x}", bytes(ack)
    for giaddr in (FOREIGN, "0.0.0.0", OTHER_VLAN_ADDRESS, RELAY_CORE, RIS, "255.255.255.255", "127.0.0.1"):
        yield f"giaddr {giaddr}", bytes(reply(giaddr=giaddr))
        yield f"giaddr {giaddr} broadcast", bytes(reply(giaddr=giaddr, flags=0x8000))


def spoilers() -> Iterator[Case]:
    """Yield replies that may spoil a relay host's ARP table for what comes later; so these come last."""
    strange = ("10.30.0.5", "0.0.0.1", "127.0.0.1", "224.0.0.1", GIADDR, RIS, SUBNET_BROADCAST, EVERYONE)
    for address in strange:
        yield Case(f"reply, yiaddr {address}", bytes(reply(yiaddr=address)), ANSWERED)
        yield Case(f"reply, ciaddr {address}", bytes(reply(ACK, ciaddr=address)), ANSWERED)
    yield Case("a broadcast reply after those", bytes(reply(flags=0x8000)), ANSWERED)


def _header() -> Iterator[tuple[str, bytes]]:
    for op in (0, 3, 255):
        yield f"op {op}", put(reply(), 0, bytes((op,)))
    for hlen, flags in product((*range(18), 255), (0, 0x8000)):
        filled = put(reply(ACK, hlen=hlen, flags=flags), 28, bytes(range(2, 34, 2)))
        yield f"hlen {hlen} flags {flags:#x}", filled
    for htype, hlen, flags in product((0, 6, 7, 24, 32, 255), (0, 6, 8, 16), (0, 0x8000)):
        yield f"htype {htype} hlen {hlen} flags {flags:#x}", bytes(reply(htype=htype, hlen=hlen, flags=flags))
    for hops in (1, 2, 4, 5, 15, 16, 17, 20, 21, 255):
        yield f"hops {hops}", put(reply(), 3, bytes((hops,)))
    for secs in (1, 256, 65535):
        yield f"secs {secs}", put(reply(), 8, secs.to_bytes(2, "big"))
    for bit in range(16):
        yield f"flag {1 << bit:#06x}", put(reply(), 10, (1 << bit).to_bytes(2, "big"))
    for siaddr in (RIS, "10.30.0.9", "255.255.255.255"):
        yield f"siaddr {siaddr}", put(reply(), 20, ip(siaddr))
    for chaddr in ("00" * 16, "ff" * 6 + "00" * 10, "01005e000001" + "00" * 10, "02" * 16):
        yield f"chaddr {chaddr}", put(reply(), 28, bytes.fromhex(chaddr))
    for name, at, size in (("sname", 44, 64), ("file", 108, 128)):
        for text in (b"x", b"x" * size):
            yield f"{name} {text[:1].hex()} * {len(text)}", put(reply(), at, text)


def _options() -> Iterator[tuple[str, bytes]]:
    for kind in (*range(20), 255):
        yield f"message type {kind}", bytes(reply(kind))
    for code in (1, 3, 6, 43, 51, 54, 60, 66, 67, 97, 118, 119, 121, 128, 150, 175, 209, 224, 252, 254):
        yield f"option {code}", bytes(reply(extra=option(code, b"\1\2\3\4")))
    ours = (b"", b"\1", b"\1\xff", option(1, b"vlan10"), option(1, b"vlan20"), option(1, b"elsewhere"))
    for value in ours:
        yield f"option 82 {value.hex()}", bytes(reply(extra=option(82, value)))
    yield "option 82 twice", bytes(reply(extra=AGENT_INFO + AGENT_INFO))
    yield "option 82 then others", bytes(reply(extra=AGENT_INFO + option(12, b"name")))
    base = option(53, bytes((ACK,)))
    for name, options in (
        ("END missing", base + option(12, b"name")),
        ("after END", base + b"\xff" + b"after" + AGENT_INFO),
        ("runs past the end", base + b"\x0c\xff" + b"short"),
        ("NAK, then runs past the end", option(53, bytes((NAK,))) + b"\x0c\xff" + b"short"),
        ("has no length", base + b"\x0c"),
        ("message type twice", base + option(53, bytes((NAK,))) + b"\xff"),
        ("message type split", option(53, b"") + base + b"\xff"),
        ("message type of 0", option(53, b"") + b"\xff"),
        ("message type of 2", option(53, bytes((NAK, 0))) + b"\xff"),
        ("cookie only", b""),
        ("split option", base + option(43, b"ab") + option(12, b"name") + option(43, b"cd") + b"\xff"),
    ):
        yield name, answer(options)
        yield f"{name}, no padding", answer(options, pad=0)
    for octet in range(5):
        overload = option(52, bytes((octet,)))
        boot, nak = option(67, b"boot") + b"\xff", option(53, bytes((NAK,))) + b"\xff"
        yield f"overload {octet}", answer(base + overload + b"\xff", file=boot, sname=AGENT_INFO + b"\xff")
        yield f"overload {octet}, NAK in file", answer(overload + b"\xff", file=nak)
    yield "no cookie", answer(None)


def _agent_info() -> Iterator[tuple[str, bytes]]:
    """Option 82 as it may come back from a server that was sent one with a circuit id of ours."""
    kind, name, end = option(53, bytes((ACK,))), option(12, b"name"), b"\xff"
    for shape, options in (
        ("last", kind + name + ECHOED + end),
        ("first", ECHOED + kind + name + end),
        ("between", kind + ECHOED + name + end),
        ("twice", kind + ECHOED + name + ECHOED + end),
        ("beside another", kind + ECHOED + AGENT_INFO + end),
        ("behind another", kind + AGENT_INFO + ECHOED + end),
        ("and no END", kind + name + ECHOED),
        ("after END", kind + name + end + ECHOED),
        ("then octets after END", kind + ECHOED + end + b"after"),
        ("then pads", kind + ECHOED + bytes(9) + name + end),
        ("and something malformed", kind + ECHOED + b"\x0c\xff" + b"short"),
        ("with more in it", kind + option(82, option(1, b"vlan10") + option(2, b"relay")) + end),
        ("with nothing but it", ECHOED + end),
    ):
        for pad in (0, 300, 400):
            yield f"our option 82 {shape}, padded to {pad}", answer(options, pad=pad)
    yield "our option 82 in file", answer(kind + option(52, b"\1") + end, file=ECHOED + end)
    for fields in ({"ciaddr": CLIENT}, {"flags": 0x8000}, {"yiaddr": "0.0.0.0"}, {"kind": NAK}):
        yield f"our option 82 {fields}", bytes(reply(extra=ECHOED, **fields))


def _sizes() -> Iterator[tuple[str, bytes]]:
    for size in (0, 8, 100, 235, 236, 237, 239, 240, 241, 244, 260, 299):
        yield f"cut to {size}", bytes(reply())[:size]
    for size in (1473, 1480, 2000, 2953, 4000):
        yield f"in fragments, {size}", bytes(reply()).ljust(size, b"\0")
        yield f"in fragments, {size}, broadcast", bytes(reply(flags=0x8000)).ljust(size, b"\0")
    for size in (301, 302, 342, 548, 576, 577, 590, 760, 1000, 1023, 1024, 1200, 1399, 1400, 1471, 1472):
        yield f"padded to {size}", bytes(reply()).ljust(size, b"\0")
        yield f"padded to {size}, broadcast", bytes(reply(flags=0x8000)).ljust(size, b"\0")


def _delivered() -> Iterator[Case]:
    for name, octets in (("", bytes(reply())), (", broadcast", bytes(reply(flags=0x8000)))):
        for destination in (RELAY_CORE, OTHER_VLAN_ADDRESS, "255.255.255.255", CLIENT):
            to = replace(ANSWERED, destination=destination)
            yield Case(f"reply to {destination}{name}", octets, to)
        for ports in ((1067, 67), (68, 67), (67, 68), (67, 1067)):
            yield Case(f"reply, ports {ports}{name}", octets, replace(ANSWERED, ports=ports))
        for checksum in (Checksum.NONE, Checksum.BAD):
            to = replace(ANSWERED, checksum=checksum)
            yield Case(f"reply, checksum {checksum.value}{name}", octets, to)
    renewed = replace(ANSWERED, destination=CLIENT, ports=(67, 68))
    yield Case("reply to a renewal in transit", bytes(reply(ACK, ciaddr=CLIENT, giaddr="0.0.0.0")), renewed)
    for giaddr in ("0.0.0.0", GIADDR, FOREIGN):
        octets = bytes(request(giaddr=giaddr))
        yield Case(f"a request from the server's side, giaddr {giaddr}", octets, ANSWERED)


def _forged() -> Iterator[Case]:
    for kind, flags in product((OFFER, ACK, NAK), (0, 0x8000)):
        octets = bytes(reply(kind, flags=flags))
        yield Case(f"a stranger's reply, type {kind} flags {flags:#x}", octets, FORGED)
        name = f"a reply from the client's VLAN, type {kind} flags {flags:#x}"
        wrong_side = replace(FORGED, origin="client", source=CLIENT)
        yield Case(name, octets, wrong_side)
        yield Case(f"{name}, with the server's address", octets, replace(wrong_side, source=RIS))
