"""The client that is none: what it asks, and what is read of answers."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from pxerelay.relay.decision import ToServers
from pxerelay.wire import packet, probe
from pxerelay.wire.facts import Facts
from tests.unit.configs import VLAN10, relay
from tests.unit.messages import ip, option, reply

CHADDR = bytes.fromhex("0200001000f1")
NOBODY = ip("0.0.0.0")


def test_it_asks_as_network_boot_firmware_does() -> None:
    message = probe.discover(CHADDR, b"\1\2\3\4", b"PXEClient", (7,))
    found = Facts(message).options
    assert packet.message_type(found) == 1
    assert packet.is_pxe(packet.vendor_class(found))
    assert packet.architectures(found) == (7,)
    assert packet.ethernet_chaddr(message) == CHADDR
    assert message[packet.XID] == b"\1\2\3\4"
    assert message[packet.FLAGS] & packet.BROADCAST_FLAG
    assert len(message) >= 300


def test_without_vendor_class_and_architecture_it_is_a_client_that_boots_from_its_disk() -> None:
    found = Facts(probe.discover(CHADDR, bytes(4), b"", ())).options
    assert packet.VENDOR_CLASS not in found
    assert packet.CLIENT_ARCH not in found


def test_its_request_is_one_that_the_relay_relays() -> None:
    message = probe.discover(CHADDR, bytes(4), b"PXEClient", (0,))
    assert isinstance(relay().decide(message, VLAN10, NOBODY), ToServers)


def test_an_answer_tells_server_address_and_boot_file() -> None:
    message = reply(yiaddr="10.10.10.150", file=b"bstrap.0", extra=option(54, ip("10.20.0.20")))
    message[packet.SIADDR] = ip("10.20.0.21")
    assert probe.answer(message) == (
        *(IPv4Address("10.20.0.20"), IPv4Address("10.10.10.150"), IPv4Address("10.20.0.21")),
        "bstrap.0",
    )


@pytest.mark.parametrize("identifier", [b"", option(54, b"\1\2\3"), option(54, bytes(4))])
def test_a_proxy_offers_no_address_and_some_servers_have_no_identifier(identifier: bytes) -> None:
    answer = probe.answer(reply(yiaddr="0.0.0.0", extra=identifier))
    assert answer == (None, None, None, "")


def test_people_are_told_who_answered_what() -> None:
    found = {
        "mac": "02:00:00:10:00:f1",
        "interface": "vlan10",
        "servers": ["ris 10.20.0.10"],
        "failures": ["could not send to 10.20.0.11: x"],
        "answers": [
            {
                "known_as": ["ris", "10.20.0.10"],
                "address": None,
                "boot_file": "a",
                "milliseconds": 3.1,
            }
        ],
    }
    assert probe.text(found) == (
        "02:00:00:10:00:f1 on vlan10: DISCOVER sent to ris 10.20.0.10\n"
        "  not sent: could not send to 10.20.0.11: x\n"
        "  ris 10.20.0.10 after 3.1 ms: address none, boot file a"
    )
    assert [probe.answered_by(found, name) for name in ("ris", "10.20.0.10", "altiris")] == [
        True,
        True,
        False,
    ]
