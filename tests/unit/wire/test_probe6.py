"""The SOLICIT of a client that is not there, octet by octet (RFC 9915, 8 and 21; RFC 5970, 3)."""

from __future__ import annotations

from pxerelay.wire import packet6, probe6
from pxerelay.wire.answer6 import NO_ADDRESSES, answer
from pxerelay.wire.facts6 import Facts6
from tests.unit.messages6 import ADVERTISE, SOLICIT, ip6, message, option, options_of

MAC = bytes.fromhex("020000100001")
VENDOR = b"PXEClient"
LINK = "2001:db8:30:7::1"


def test_a_solicit_says_what_firmware_says() -> None:
    octets = probe6.solicit(MAC, b"abc", VENDOR, (7, 16))
    assert octets[:4] == bytes((SOLICIT,)) + b"abc"
    assert options_of(octets, 4) == [
        (1, b"\0\3\0\1" + MAC),
        (3, MAC[2:] + bytes(8)),
        (8, b"\0\0"),
        (6, b"\0\x3b\0\x3c\0\x17\0\x10"),
        (62, b"\1\3\0"),
        (61, b"\0\7\0\x10"),
        (16, b"\0\0\1\x57\0\x09PXEClient"),
    ]
    facts = Facts6(octets)
    assert (facts.boots, facts.architectures, facts.vendor_classes) == (True, (7, 16), (VENDOR,))


def test_no_address_is_committed_for_it() -> None:
    """Rapid Commit, option 14, would have the server commit one (RFC 9915, 21.14)."""
    assert 14 not in dict(options_of(probe6.solicit(MAC, b"abc", b"", ()), 4))


def test_a_router_says_whose_it_is_and_where() -> None:
    inside = probe6.solicit(MAC, b"abc", VENDOR, (7,))
    octets = probe6.relayed(inside, MAC, ip6(LINK))
    assert octets[:34] == b"\x0c\0" + ip6(LINK) + ip6("fe80::10:1")[:8] + bytes.fromhex("000000fffe100001")
    assert options_of(octets, packet6.RELAY_HEADER_SIZE) == [(79, b"\0\1" + MAC), (9, inside)]


def test_what_a_server_answers_is_read() -> None:
    lease = option(3, bytes(12) + option(5, ip6("2001:db8::5") + bytes(8)))
    given = answer(Facts6(message(ADVERTISE, lease + option(59, b"tftp://x") + option(7, b"\xff"))))
    assert (given.leases, given.boot_file, given.preference) == (("2001:db8::5",), "tftp://x", 255)
    assert (given.status, given.codes) == ("", ())
    refused = answer(
        Facts6(message(ADVERTISE, option(3, bytes(12) + option(13, b"\0\2no")) + option(13, b"\0\1")))
    )
    assert refused.status == "unspecified failure; no addresses available: no"
    assert set(refused.codes) == {1, NO_ADDRESSES}
    assert refused.preference is None
