"""Port 4011: which offers lead there, and what is asked."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from pxerelay.wire import bootserver, packet
from pxerelay.wire.bootserver import Service
from pxerelay.wire.facts import Facts
from tests.unit.messages import ip, option, reply

SERVER, SENDER, OTHER = IPv4Address("10.20.0.20"), IPv4Address("10.20.0.21"), IPv4Address("10.20.0.30")
PXE = option(60, b"PXEClient")
HERE = option(54, SERVER.packed)
LIST = option(8, b"\x00\x02\x01" + OTHER.packed)


def vendor(*inside: bytes) -> bytes:
    return option(43, b"".join(inside) + b"\xff")


@pytest.mark.parametrize(
    ("file", "extra", "asked"),
    [
        (b"boot.0", HERE, ()),
        (b"", HERE, ()),  # a DHCP server that knows nothing of PXE
        (b"boot.0", HERE + PXE, ()),
        (b"boot.0", HERE + PXE + vendor(option(6, b"\x08"), LIST), ()),
        (b"boot.0", HERE + PXE + vendor(option(6, b"\x03"), LIST), (Service(OTHER, 2),)),
        (b"", HERE + PXE + vendor(option(6, b"\x08"), LIST), (Service(OTHER, 2),)),
        (b"", HERE + PXE, (Service(SERVER, None),)),
        (b"", PXE, (Service(SENDER, None),)),
        (b"", option(54, ip("10.10.10.1")) + PXE, (Service(SENDER, None),)),  # server-id override
        (b"", HERE + option(60, b"HTTPClient"), ()),
        # lists that are cut off, empty, or say it twice
        (b"x", HERE + PXE + vendor(option(8, b"\x00\x02\x02" + OTHER.packed)), ()),
        (b"x", HERE + PXE + vendor(option(8, b"\x00\x00\x00")), ()),
        (b"x", HERE + PXE + vendor(option(8, (b"\x00\x02\x01" + OTHER.packed) * 2)), (Service(OTHER, 2),)),
        (b"x", HERE + PXE + option(43, b"\x08\x09\x00"), ()),
        (b"x", HERE + PXE + option(43, b"\x06\x00"), ()),
    ],
)
def test_whom_an_offer_leads_to(file: bytes, extra: bytes, asked: tuple[Service, ...]) -> None:
    assert bootserver.services(reply(file=file, extra=extra), SENDER) == asked


def test_it_asks_as_a_client_that_has_an_address() -> None:
    message = bootserver.request(bytes(6), b"abcd", b"PXEClient", (7,), Service(OTHER, 2), SERVER)
    found = Facts(message).options
    assert packet.message_type(found) == 3
    assert message[packet.CIADDR] == SERVER.packed
    assert message[packet.FLAGS] == 0
    assert found[43] == bytes((71, 4, 0, 2, 0, 0, 255))
    assert packet.architectures(found) == (7,)
    plain = bootserver.request(bytes(6), b"abcd", b"PXEClient", (7,), Service(OTHER, None), SERVER)
    assert 43 not in Facts(plain).options
