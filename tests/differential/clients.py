"""Messages as real clients and servers shape them: their options, in their order, at their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.differential.cases import ANSWERED, CLIENT, CLIENT_MAC, RENEWED, SHOUTED, Case
from tests.differential.requests import put
from tests.lab.relays import GIADDR
from tests.lab.topology import RIS
from tests.unit.messages import ACK, DISCOVER, NAK, OFFER, REQUEST, ip, mac, message, option

INFORM, RELEASE, DECLINE = 8, 7, 4
_GUID = b"\0" + bytes.fromhex("00112233445566778899aabbccddeeff")
_CLIENT_ID = option(61, b"\1" + mac(CLIENT_MAC))
_DUID = option(61, b"\xff" + bytes.fromhex("0000000100020000ab11223344556677889900"))


@dataclass(frozen=True)
class Software:
    """A client: what stands before and behind what it asks for, and the least length of its messages."""

    name: str
    head: bytes
    tail: bytes
    pad: int
    flags: int = 0
    secs: int = 0

    def ask(self, kind: int, asked: bytes = b"", ciaddr: str = "0.0.0.0") -> bytes:
        """Return a message of this kind; `asked` are the options that its kind brings."""
        options = option(53, bytes((kind,))) + self.head + asked + self.tail + b"\xff"
        octets = message(options=options, chaddr=CLIENT_MAC, ciaddr=ciaddr, flags=self.flags, pad=self.pad)
        return put(octets, 8, self.secs.to_bytes(2, "big"))


def _pxe(arch: int, undi: bytes) -> bytes:
    return option(60, f"PXEClient:Arch:{arch:05}:UNDI:".encode() + undi)


CLIENTS = (
    Software(
        "udhcpc",
        _CLIENT_ID + option(57, b"\2\x40"),
        option(55, bytes((1, 3, 6, 12, 15, 28, 42))) + option(60, b"udhcp 1.35.0"),
        300,
    ),
    Software("dhclient", b"", option(12, b"host") + option(55, bytes((1, 28, 2, 3, 15, 6, 119, 12))), 300),
    Software(
        "Windows",
        _CLIENT_ID,
        option(12, b"DESKTOP-1")
        + option(81, b"\0\0\0DESKTOP-1.example.org")
        + option(60, b"MSFT 5.0")
        + option(55, bytes((1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252))),
        300,
    ),
    Software(
        "systemd-networkd",
        _DUID,
        option(55, bytes((1, 3, 6, 12, 15, 26, 33, 42, 119, 120, 121))) + option(57, b"\5\xc0"),
        300,
        secs=1,
    ),
    Software(
        "iPXE",
        option(57, b"\5\xc0") + option(93, b"\0\0") + option(94, b"\1\2\1") + _pxe(0, b"002001"),
        option(77, b"iPXE")
        + option(55, bytes((1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 203)))
        + option(
            175, bytes.fromhex("b105018086100eeb0301000017010122010113010111010115010118010116010119010121")
        )
        + _CLIENT_ID
        + option(97, _GUID),
        300,
        secs=4,
    ),
    Software(
        "BIOS PXE ROM",
        option(
            55, bytes((1, 2, 3, 5, 6, 11, 12, 13, 15, 16, 17, 18, 43, 54, 60, 67, 128, 129, 130, 131, 132))
        )
        + option(57, b"\4\xec")
        + option(97, _GUID),
        option(93, b"\0\0") + option(94, b"\1\2\1") + _pxe(0, b"002001"),
        548,
        flags=0x8000,
        secs=4,
    ),
    Software(
        "OVMF",
        option(57, b"\5\xb8")
        + option(55, bytes((1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42)))
        + option(97, _GUID),
        option(94, b"\1\3\x10") + option(93, b"\0\7") + _pxe(7, b"003016"),
        0,
    ),
    Software(
        "UEFI HTTP boot",
        option(57, b"\5\xb8") + option(97, _GUID),
        option(94, b"\1\3\x10") + option(93, b"\0\x10") + option(60, b"HTTPClient:Arch:00016:UNDI:003016"),
        0,
    ),
    Software("printer with BOOTP manners", b"", option(12, b"printer") + bytes(10), 590, flags=0x8000),
)


def conversations() -> Iterator[Case]:
    """Yield what each client says from boot to shutdown, then what servers answer."""
    chosen = option(54, ip(RIS)) + option(50, ip(CLIENT))
    for software in CLIENTS:
        name = software.name
        yield Case(f"{name}: discover", software.ask(DISCOVER), SHOUTED)
        yield Case(f"{name}: request", software.ask(REQUEST, chosen), SHOUTED)
        yield Case(f"{name}: reboot", software.ask(REQUEST, option(50, ip(CLIENT))), SHOUTED)
        yield Case(f"{name}: renew", software.ask(REQUEST, ciaddr=CLIENT), RENEWED)
        rebinding = replace(SHOUTED, source=CLIENT)
        yield Case(f"{name}: rebind", software.ask(REQUEST, ciaddr=CLIENT), rebinding)
        yield Case(f"{name}: inform", software.ask(INFORM, ciaddr=CLIENT), rebinding)
        yield Case(f"{name}: decline", software.ask(DECLINE, chosen), SHOUTED)
        yield Case(f"{name}: release", software.ask(RELEASE, option(54, ip(RIS)), ciaddr=CLIENT), RENEWED)
    for name, octets in _answers():
        yield Case(name, octets, ANSWERED)


def _answers() -> Iterator[tuple[str, bytes]]:
    lease = option(54, ip(RIS)) + option(51, b"\0\0\x0e\x10") + option(1, ip("255.255.255.0"))
    network = lease + option(3, ip(GIADDR)) + option(6, ip(RIS)) + option(15, b"example.org")
    wds = option(54, ip(RIS)) + option(97, _GUID) + option(60, b"PXEClient")
    menu = option(60, b"PXEClient") + option(43, bytes.fromhex("0601030a045058455909080001040a140064ff"))
    for kind, flags in ((OFFER, 0), (ACK, 0), (OFFER, 0x8000), (ACK, 0x8000)):
        for name, options, yiaddr, file in (
            ("dnsmasq", network + option(66, b"boot") + option(67, b"pxelinux.0"), "10.10.10.150", b""),
            ("ISC dhcpd", network, "10.10.10.151", b"pxelinux.0"),
            ("WDS beside a DHCP server", wds, "0.0.0.0", b"boot\\x64\\wdsnbp.com"),
            ("proxyDHCP with a menu", option(54, ip(RIS)) + menu, "0.0.0.0", b""),
        ):
            body = message(
                op=2,
                yiaddr=yiaddr,
                siaddr=RIS,
                giaddr=GIADDR,
                flags=flags,
                chaddr=CLIENT_MAC,
                file=file,
                options=option(53, bytes((kind,))) + options + b"\xff",
                pad=300,
            )
            yield f"{name}: type {kind} flags {flags:#x}", bytes(body)
    nak = option(53, bytes((NAK,))) + option(54, ip(RIS)) + option(56, b"wrong network") + b"\xff"
    yield "ISC dhcpd: refusal", bytes(message(op=2, giaddr=GIADDR, chaddr=CLIENT_MAC, options=nak))
