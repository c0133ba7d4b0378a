"""What --debug says."""

from __future__ import annotations

from pxerelay.config import document
from pxerelay.config.places import RulePlaces
from pxerelay.relay.account import Narrator
from pxerelay.relay.words import port_text
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from tests.unit.configs import CORE, STANDARD, VLAN10, VLAN20, relay
from tests.unit.messages import ACK, NAK, ip, message, option, reply, request

NOBODY, RIS, ROUTER = ip("0.0.0.0"), ip("10.20.0.10"), ip("10.30.0.1")
NAMES = {CORE: "core", VLAN10: "vlan10", VLAN20: "vlan20"}


def told(packet: bytearray, index: int, source: bytes, text: str = STANDARD) -> str:
    built = relay(text)
    narrator = Narrator(built, RulePlaces([document.parse("pxerelay.yml", text)]).line_of)
    return narrator.tell(Facts(packet), NAMES[index], source, built.decide(packet, index, source))


def test_a_request_tells_who_where_what_rule_and_server() -> None:
    assert told(request(chaddr="00:11:22:33:44:55", arch=7), VLAN10, NOBODY) == (
        "00:11:22:33:44:55 on vlan10: DISCOVER (PXEClient, x64 UEFI), "
        "rule 00:11:22:33:44:55 (pxerelay.yml:12) says altiris; "
        "sent to altiris 10.20.0.20, altiris 10.20.0.21 with giaddr 10.10.10.1"
    )


def test_a_wildcard_is_told_as_it_is_spelled() -> None:
    assert "rule 52:54:00:12:3?:* (pxerelay.yml:14) says altiris" in told(
        request(chaddr="52:54:00:12:34:56"), VLAN10, NOBODY
    )


def test_defaults_and_classes_are_told_by_name() -> None:
    assert "the default says ris" in told(request(), VLAN10, NOBODY)
    assert "the default of vlan20 says altiris" in told(request(), VLAN20, NOBODY)
    text = f"{STANDARD}\nclasses: [{{name: uefi, arch: 7, server: dhcp}}]"
    assert "class uefi says dhcp; sent to dhcp 10.20.0.2" in told(request(arch=7), VLAN10, NOBODY, text)


def test_a_relayed_request_tells_the_router() -> None:
    assert told(request(giaddr="10.30.7.1"), CORE, ROUTER) == (
        "02:00:00:00:00:01 on core from 10.30.0.1: DISCOVER (PXEClient, x86 BIOS), the default says ris; "
        "sent to ris 10.20.0.10 with giaddr 10.30.7.1"
    )


def test_drops_are_told_with_their_reason() -> None:
    assert told(request(chaddr="de:ad:be:ef:00:01"), VLAN10, NOBODY).endswith(
        "rule de:ad:be:ef:00:01 (pxerelay.yml:15) says drop; dropped"
    )
    assert "dropped: passed more relay agents" in told(request(hops=9), VLAN10, NOBODY)
    assert "dropped: pxe_only holds" in told(
        request(vendor=None), VLAN10, NOBODY, f"{STANDARD}\npxe_only: true"
    )
    assert "dropped, shorter than the fixed header" in told(bytearray(9), VLAN10, ROUTER)
    assert "dropped: op is neither" in told(message(op=9), VLAN10, NOBODY)


def test_pxe_only_is_told_where_it_keeps_a_client_from_its_server() -> None:
    line = told(request(vendor=None), VLAN10, NOBODY, f"{STANDARD}\npxe_only: true\ndhcp_servers: dhcp")
    assert "(not booting from the network)" in line
    assert "sent to dhcp 10.20.0.2" in line
    assert "pxe_only: this client reaches the DHCP servers alone" in line


def test_a_reply_tells_what_came_back_and_where_it_goes() -> None:
    assert told(reply(ACK, file=b"pxelinux.0"), CORE, RIS) == (
        "02:00:00:00:00:01: ACK from ris 10.20.0.10, address 10.10.10.100, boot file pxelinux.0; "
        "sent to 10.10.10.100 at 02:00:00:00:00:01 on vlan10"
    )
    assert told(reply(NAK, yiaddr="0.0.0.0"), CORE, RIS) == (
        "02:00:00:00:00:01: NAK from ris 10.20.0.10; sent to everyone on vlan10"
    )
    assert told(reply(), CORE, ip("10.20.0.66")).endswith(
        "OFFER from 10.20.0.66, address 10.10.10.100; "
        "dropped: a reply from an address that is no configured server's"
    )


def test_a_boot_file_may_stand_in_option_67() -> None:
    assert packet.boot_file(reply(), {67: b"grub.efi\0"}) == "grub.efi"
    overloaded = message(op=2, file=option(67, b"x"))
    assert packet.boot_file(overloaded, {52: b"\1"}) == ""


def test_an_empty_option_67_names_no_boot_file() -> None:
    assert packet.boot_file(reply(file=b"pxelinux.0"), {67: b""}) == "pxelinux.0"
    overloaded = message(op=2, file=option(12, b"host"))
    assert packet.boot_file(overloaded, {52: b"\1", 67: b""}) == ""


def test_a_message_type_that_has_no_name_is_told_by_number() -> None:
    assert "on vlan10: message of type 18 (" in told(request(kind=18), VLAN10, NOBODY)
    assert "on vlan10: BOOTP message (" in told(message(), VLAN10, NOBODY)


def test_what_others_send_can_not_forge_a_log_line() -> None:
    line = told(reply(file=b"a\n<3>b\x1b[2J\xff"), CORE, RIS)
    assert "boot file a\\x0a<3>b\\x1b[2J\\xff" in line
    assert "\n" not in line
    assert "\n" not in told(request(vendor=b"PXEClient\n<0>"), VLAN10, NOBODY)


def test_odd_addresses_are_told_as_they_are() -> None:
    assert told(request(hlen=0), VLAN10, NOBODY).startswith("(no address) on vlan10")
    assert told(request(hlen=8), VLAN10, NOBODY).startswith("02:00:00:00:00:01:00:00 on vlan10")


def test_a_port_is_told_with_its_state() -> None:
    assert [port_text(port) for port in relay(links=()).ports] == [
        "vlan10 waiting: the interface is not there",
        "vlan20 waiting: the interface is not there",
    ]
    assert port_text(relay().ports[0]) == "vlan10 active, giaddr 10.10.10.1"
