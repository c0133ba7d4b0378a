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
    assert [probe.is_answered(found, name) for name in ("ris", "10.20.0.10", "altiris")] == [
        True,
        True,
        False,
    ]


def in_dhcpv6(**answer: object) -> dict[str, object]:
    told = {
        "known_as": ["ris", "2001:db8:20::10"],
        "address": "2001:db8:10::183",
        "boot_file": "tftp://[2001:db8:20::10]/x.efi",
        "preference": 255,
        "status": None,
        "no_addresses": False,
        "milliseconds": 2.9,
    }
    sent = {"servers": ["ris 2001:db8:20::10"], "failures": [], "answers": [told | answer]}
    return {"mac": "02:00:00:10:00:f1", "interface": "vlan10", "link_address": "2001:db8:10::1", **sent}


def test_people_are_told_what_each_family_found() -> None:
    of4 = {"mac": "02:00:00:10:00:f1", "interface": "vlan10", "servers": ["ris 10.20.0.10"]}
    found = {**of4, "failures": [], "answers": [], "ipv6": in_dhcpv6()}
    assert probe.text(found) == (
        "02:00:00:10:00:f1 on vlan10: DISCOVER sent to ris 10.20.0.10\n"
        "  no answer\n"
        "02:00:00:10:00:f1 on vlan10: SOLICIT sent to ris 2001:db8:20::10 with link-address 2001:db8:10::1\n"
        "  ris 2001:db8:20::10 after 2.9 ms: address 2001:db8:10::183, boot file "
        "tftp://[2001:db8:20::10]/x.efi, preference 255"
    )
    assert not probe.is_answered(found, None), "nobody has answered in DHCPv4"
    assert probe.is_answered({"ipv6": in_dhcpv6()}, None)
    assert not probe.is_answered({"ipv6": in_dhcpv6()}, "altiris")


def test_a_server_without_an_address_to_give_is_told_as_one_and_is_no_answer() -> None:
    refusal = in_dhcpv6(
        address=None,
        boot_file=None,
        preference=None,
        status="no addresses available: Server could not select subnet",
        no_addresses=True,
    )
    assert probe.text({"ipv6": refusal}).splitlines()[1] == (
        "  ris 2001:db8:20::10 after 2.9 ms: it answered, and has no subnet for 2001:db8:10::1, or no "
        "address left there, boot file none, no addresses available: Server could not select subnet"
    )
    assert not probe.is_answered({"ipv6": refusal}, None)
    assert not probe.is_answered({"ipv6": refusal}, "ris")


def test_what_is_not_relayed_is_told_with_the_family() -> None:
    nothing: dict[str, object] = {"servers": [], "answers": [], "failures": []}
    found = {"mac": "02:00:00:10:00:f1", "interface": None, "dropped": "the mapping says drop", **nothing}
    assert probe.text({"ipv6": found}) == (
        "02:00:00:10:00:f1 behind a router: not relayed by DHCPv6: the mapping says drop"
    )
