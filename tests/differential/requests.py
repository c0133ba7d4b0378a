"""What clients and routers may send, one feature of a message after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from tests.differential.cases import (
    CLIENT,
    OTHER_VLAN_ADDRESS,
    RELAYED,
    RENEWED,
    ROUTER,
    SHOUTED,
    STRANGER,
    SUBNET_BROADCAST,
    Case,
    Delivery,
)
from tests.lab.frames import Checksum
from tests.lab.relays import GIADDR
from tests.lab.topology import RELAY_CORE, RIS
from tests.unit.messages import COOKIE, DISCOVER, REQUEST, ip, message, option, request

FOREIGN = "10.10.99.1"
AGENT_INFO = option(82, option(1, b"port 7") + option(2, b"switch"))
PXE = option(60, b"PXEClient:Arch:00000:UNDI:002001")


def put(base: bytes | bytearray, at: int, value: bytes) -> bytes:
    """Return the message with some octets exchanged."""
    return bytes(base[:at] + value + base[at + len(value) :])


def with_options(options: bytes, *, sname: bytes = b"", file: bytes = b"", pad: int = 300) -> bytes:
    """Return a DISCOVER whose options, after its type, are these as they stand."""
    whole = option(53, bytes((DISCOVER,))) + options
    return bytes(message(options=whole, sname=sname, file=file, pad=pad))


def requests() -> Iterator[Case]:
    """Yield every systematic case that comes from the client's VLAN."""
    for name, octets in (*_header(), *_sizes(), *_options(), *_agent_info(), *_malformed(), *_bootp()):
        yield Case(name, octets, SHOUTED)
    yield from _relayed()
    yield from _delivered()


def _header() -> Iterator[tuple[str, bytes]]:
    for op in (0, 1, 2, 3, 255):
        yield f"op {op}", put(request(), 0, bytes((op,)))
    for hlen in (*range(18), 255):
        yield f"hlen {hlen}", bytes(request(hlen=hlen, chaddr="02:00:00:00:00:01" + ":aa" * 10))
    for htype, hlen in product((0, 6, 7, 24, 32, 255), (0, 6, 8, 16)):
        yield f"htype {htype} hlen {hlen}", bytes(request(htype=htype, hlen=hlen))
    for hops in (*range(24), 254, 255):
        yield f"hops {hops}", bytes(request(hops=hops))
    for secs in (1, 3, 4, 255, 256, 65535):
        yield f"secs {secs}", put(request(), 8, secs.to_bytes(2, "big"))
    for bit in range(16):
        yield f"flag {1 << bit:#06x}", put(request(), 10, (1 << bit).to_bytes(2, "big"))
    for flags in (0x7FFF, 0xFFFF):
        yield f"flags {flags:#06x}", put(request(), 10, flags.to_bytes(2, "big"))
    for ciaddr, yiaddr, siaddr in product(("0.0.0.0", CLIENT), ("0.0.0.0", CLIENT), ("0.0.0.0", RIS)):
        fields = f"ciaddr {ciaddr} yiaddr {yiaddr} siaddr {siaddr}"
        yield fields, put(request(REQUEST), 12, ip(ciaddr) + ip(yiaddr) + ip(siaddr))
    for chaddr in ("00" * 16, "ff" * 6 + "00" * 10, "01005e000001" + "00" * 10, "02" * 16, "00" * 15 + "01"):
        yield f"chaddr {chaddr}", put(request(), 28, bytes.fromhex(chaddr))
    for name, at, size in (("sname", 44, 64), ("file", 108, 128)):
        for text in (b"x", b"x" * (size - 1) + b"\0", b"x" * size, bytes(range(128, 128 + size))):
            yield f"{name} of {len(text.rstrip(bytes(1)))}, first {text[0]}", put(request(), at, text)
    for xid in range(4):
        yield f"same but for xid {xid}", bytes(request())


def _sizes() -> Iterator[tuple[str, bytes]]:
    for size in (0, 1, 3, 4, 8, 28, 44, 108, 200, 234, 235):
        yield f"truncated to {size}", bytes(request())[:size]
    for size in (236, 237, 239, 240, 241, 242, 243, 244, 250, 260, 285):
        yield f"cut to {size}", bytes(request())[:size]
    for size in (290, 298, 299, 300, 301, 302, 312, 341, 342, 400, 547, 548, 549, 575, 576, 577, 590, 759):
        yield f"padded to {size}", bytes(message(options=option(53, b"\1") + PXE + b"\xff", pad=size))
    for size in (
        760,
        761,
        1000,
        1023,
        1024,
        1200,
        1299,
        1300,
        1398,
        1399,
        1400,
        1401,
        1450,
        1470,
        1471,
        1472,
    ):
        yield f"padded to {size}", bytes(message(options=option(53, b"\1") + PXE + b"\xff", pad=size))
    for size in (1453, 1454, 1460, 1462, 1464, 1473, 1480, 2000, 2953, 4000):
        yield f"large, {size}", bytes(message(options=option(53, b"\1") + PXE + b"\xff", pad=size))
    for size in (300, 328, 337, 338, 400, 576):
        yield f"option 57 of {size}, the message as it is", with_options(_takes(size) + PXE + b"\xff")
    for count in range(1, 5):
        yield f"{count} options of 255", with_options(PXE + option(224, bytes(255)) * count + b"\xff")


def _takes(size: int) -> bytes:
    return option(57, size.to_bytes(2, "big"))


def _options() -> Iterator[tuple[str, bytes]]:
    for code in range(1, 255):
        yield f"option {code}", with_options(PXE + option(code, b"\1\2\3\4") + b"\xff")
    for length in (0, 1, 2, 254, 255):
        yield f"option 224 of {length}", with_options(option(224, b"z" * length) + PXE + b"\xff")
    for kind in (*range(20), 255):
        yield f"message type {kind}", bytes(request(kind))
    for value in (b"", b"\1\1", b"\5\0\0"):
        yield (
            f"message type of {len(value)} octets",
            bytes(message(options=option(53, value) + PXE + b"\xff")),
        )
    yield "message type twice", with_options(option(53, b"\3") + b"\xff")
    yield "message type split", bytes(message(options=option(53, b"") + option(53, b"\1") + b"\xff"))
    yield "message type last", bytes(message(options=PXE + option(53, b"\1") + b"\xff"))
    yield "pads between", with_options(bytes(7) + PXE + bytes(3) + option(93, b"\0\0") + b"\xff")
    yield "END missing", with_options(PXE)
    yield "END missing, full", with_options(PXE, pad=0)
    for rest in (b"\0", b"after", b"\xff", AGENT_INFO, option(53, b"\3") + b"\xff", bytes(40) + b"late"):
        yield f"after END {rest.hex()[:20]}", with_options(PXE + b"\xff" + rest)
        yield f"after END at the end {rest.hex()[:20]}", bytes(request()) + rest
    for value in (*range(5), 255):
        options = option(52, bytes((value,))) + PXE + b"\xff"
        file, sname = option(93, b"\0\7") + b"\xff", option(12, b"name") + b"\xff"
        yield f"overload {value}", with_options(options, file=file, sname=sname)
        yield f"overload {value} and no END there", with_options(options, file=b"\x5d", sname=b"\x0c\x3f")
    yield "overload of 0 octets", with_options(option(52, b"") + PXE + b"\xff")
    yield "option 60 split", with_options(option(60, b"PXECl") + option(60, b"ient") + b"\xff")
    yield (
        "option 61 split over file",
        with_options(option(61, b"\1\2") + option(52, b"\1") + b"\xff", file=option(61, b"\3\4") + b"\xff"),
    )
    for size in (0, 236, 548, 576, 590, 1500, 65535):
        yield f"option 57 of {size}", with_options(_takes(size) + PXE + b"\xff")


def _agent_info() -> Iterator[tuple[str, bytes]]:
    values = (
        b"",
        b"\1",
        b"\1\xff",
        option(1, b""),
        option(1, b"vlan10"),
        option(5, ip("10.10.10.0")),
        b"\0" * 9,
    )
    for value in values:
        yield f"option 82 {value.hex()}", with_options(PXE + option(82, value) + b"\xff")
    yield "option 82 first", bytes(message(options=AGENT_INFO + option(53, b"\1") + PXE + b"\xff"))
    yield "option 82 twice", with_options(AGENT_INFO + PXE + AGENT_INFO + b"\xff")
    yield "option 82 and no END", with_options(PXE + AGENT_INFO)
    yield "option 82 in file", with_options(option(52, b"\1") + PXE + b"\xff", file=AGENT_INFO + b"\xff")
    yield "option 82 in BOOTP", bytes(message(options=AGENT_INFO + b"\xff"))
    yield "option 82 of 255", with_options(option(82, option(1, b"c" * 253)) + PXE + b"\xff")


def _malformed() -> Iterator[tuple[str, bytes]]:
    for name, options in (
        ("runs past the end", PXE + b"\x0c\xff" + b"short"),
        ("has no length", PXE + b"\x0c"),
        ("of 255 at the very end", PXE + b"\x0c\xff"),
    ):
        plain = option(53, b"\1") + options
        yield f"malformed: {name}", bytes(message(options=plain, pad=0))
        yield f"malformed: {name}, then zeros", bytes(message(options=plain))
    yield "malformed: only 255s", bytes(message(options=b"\xff" * 60))
    yield "malformed: all 82", bytes(message(options=b"\x52" * 60))
    yield "malformed: all 52", bytes(message(options=b"\x34" * 60))
    yield "malformed: all 1", bytes(message(options=b"\1" * 60))


def _bootp() -> Iterator[tuple[str, bytes]]:
    yield "BOOTP with cookie only", bytes(message(options=b""))
    yield "BOOTP with END", bytes(message(options=b"\xff"))
    yield "BOOTP with options", bytes(message(options=option(12, b"old") + b"\xff"))
    yield "BOOTP without cookie", bytes(message(options=None))
    yield "BOOTP with file", bytes(message(options=None, file=b"boot/image", sname=b"boothost"))
    for cookie in (b"\x63\x82\x53\x64", bytes(4), b"CMU\0", COOKIE[:3] + b"\0"):
        yield f"cookie {cookie.hex()}", put(request(), 236, cookie)


def _relayed() -> Iterator[Case]:
    for hops in (0, 1, 3, 4, 5, 9, 15, 16, 17):
        yield Case(f"relayed, hops {hops}", bytes(request(giaddr=FOREIGN, hops=hops)), RELAYED)
    yield Case("relayed, option 82", bytes(request(giaddr=FOREIGN, hops=1, extra=AGENT_INFO)), RELAYED)
    to_core = replace(RELAYED, destination=RELAY_CORE)
    yield Case("relayed to the core address", bytes(request(giaddr=FOREIGN, hops=1)), to_core)
    yield Case("relayed, giaddr is the router", bytes(request(giaddr=ROUTER, hops=1)), RELAYED)
    yield Case("a router without giaddr", bytes(request(hops=1)), RELAYED)
    spoofs = (FOREIGN, GIADDR, RELAY_CORE, OTHER_VLAN_ADDRESS, RIS, CLIENT, "255.255.255.255")
    for giaddr in (*spoofs, "127.0.0.1", "0.0.0.1", "224.0.0.1", SUBNET_BROADCAST):
        octets = bytes(request(giaddr=giaddr))
        yield Case(f"shouted with giaddr {giaddr}", octets, SHOUTED)
        yield Case(f"relayed with giaddr {giaddr}", octets, RELAYED)
        yield Case(f"from a client with giaddr {giaddr}", octets, replace(RELAYED, source=CLIENT))


def _delivered() -> Iterator[Case]:
    plain = bytes(request())
    for name, delivery in _deliveries():
        yield Case(name, plain, delivery)
    for checksum in (Checksum.NONE, Checksum.BAD):
        for size in (236, 300, 301, 548, 1000):
            octets = bytes(request()).ljust(size, b"\0")[:size]
            yield Case(f"checksum {checksum.value} {size}", octets, replace(SHOUTED, checksum=checksum))
    for kind in (REQUEST, 7, 8):
        renewal = put(request(kind), 12, ip(CLIENT))
        yield Case(f"renewal {kind} in transit", renewal, RENEWED)
        yield Case(f"renewal {kind} by broadcast", renewal, replace(SHOUTED, source=CLIENT))
    yield Case(
        "in transit with giaddr", bytes(request(giaddr=FOREIGN, hops=1)), replace(RENEWED, ports=(67, 67))
    )
    yield Case("in transit with our giaddr", bytes(request(giaddr=GIADDR)), RENEWED)
    yield Case("a request of another kind in transit", b"no BOOTP", RENEWED)


def _deliveries() -> Iterator[tuple[str, Delivery]]:
    for source in ("0.0.0.0", CLIENT, "10.10.10.78", "169.254.7.7", "192.0.2.1"):
        for destination in ("255.255.255.255", SUBNET_BROADCAST, GIADDR, RELAY_CORE):
            yield f"from {source} to {destination}", replace(SHOUTED, source=source, destination=destination)
    for ports in ((67, 67), (68, 68), (1024, 67), (4011, 67), (68, 4011), (68, 69), (0, 67)):
        yield f"ports {ports}", replace(SHOUTED, ports=ports)
    yield "to another host in transit", replace(RENEWED, destination=STRANGER)
    yield "to our address in another VLAN", replace(RENEWED, destination=OTHER_VLAN_ADDRESS)
    yield "from the server's address, shouted", replace(SHOUTED, source=RIS)
