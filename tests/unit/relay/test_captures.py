"""Recordings of real firmware (tests/captures): the relay decides today as it did on the wire then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pxerelay.relay.decision import ToClient, ToServers
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from tests.firmware.setups import BIOS, DHCP, PLAIN, ROUTER, SETTINGS, UEFI, configuration
from tests.lab import pcap
from tests.lab.command import REPOSITORY
from tests.lab.frames import ETHERNET_HEADER, EVERYONE, Checksum, Datagram, Joiner
from tests.lab.topology import ALTIRIS, RELAY_CORE, RIS
from tests.unit.configs import CORE, VLAN10, relay
from tests.unit.finished import frames_of
from tests.unit.messages import ip

FOLDER = REPOSITORY / "tests" / "captures"
GIADDR = "10.10.10.1"
OWN_SERVER = {BIOS.mac: RIS, UEFI.mac: ALTIRIS}
SETUPS = sorted(SETTINGS)
ON_THE_VLAN = [name for name in SETUPS if name != "behind-a-router"]


def recorded(setup: str, side: str) -> list[Datagram]:
    return pcap.read(FOLDER / f"{setup}-{side}.pcap")


def mac(datagram: Datagram) -> str:
    return datagram.payload[packet.CHADDR][:6].hex(":")


def options(datagram: Datagram) -> dict[int, bytes]:
    return Facts(datagram.payload).options


def asked(setup: str) -> Iterator[tuple[Datagram, int]]:
    """Yield what came to the relay from clients, or from a router for them, and on which interface."""
    if setup == "behind-a-router":
        found = [(datagram, CORE) for datagram in recorded(setup, "servers") if datagram.source == ROUTER]
    else:
        found = [(datagram, VLAN10) for datagram in recorded(setup, "clients") if datagram.port == 67]
    assert found
    yield from found


def answered(setup: str) -> list[Datagram]:
    """Return what came to the relay from servers."""
    return [datagram for datagram in recorded(setup, "servers") if datagram.destination == GIADDR]


def decided(one: Relay, setup: str) -> list[tuple[Datagram, bytes, ToServers]]:
    """Each request with its octets as the relay leaves them, and what it decided."""
    found = []
    for datagram, index in asked(setup):
        message = bytearray(datagram.payload)
        decision = one.decide(message, index, ip(datagram.source), datagram.destination != EVERYONE)
        assert isinstance(decision, ToServers)
        found.append((datagram, bytes(message), decision))
    return found


def test_every_set_up_has_its_recordings() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.pcap")) == sorted(
        f"{setup}-{side}" for setup in SETUPS for side in ("clients", "servers")
    )
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in FOLDER.glob("*.pcap"))


@pytest.mark.parametrize("setup", SETUPS)
def test_all_that_was_sent_to_servers_is_what_is_decided_today(setup: str) -> None:
    """As many copies, to the same servers, octet by octet: hops, giaddr, and the rest untouched."""
    decisions = decided(relay(configuration(setup)), setup)
    today = [(server, message) for _, message, decision in decisions for server in decision.servers]
    then = [
        (ip(datagram.destination), datagram.payload)
        for datagram in recorded(setup, "servers")
        if datagram.source == RELAY_CORE
    ]
    assert sorted(today) == sorted(then)
    for datagram, message, _ in decisions:
        before = datagram.payload
        giaddr = before[24:28] if setup == "behind-a-router" else ip(GIADDR)
        assert message == before[:3] + bytes((before[3] + 1,)) + before[4:24] + giaddr + before[28:]


@pytest.mark.parametrize("setup", ON_THE_VLAN)
def test_all_that_was_sent_to_clients_is_what_is_decided_today(setup: str) -> None:
    """Frame by frame: hardware address, IP and UDP headers with the UDP checksum, payload; not the IP id."""
    one = relay(configuration(setup))
    today = []
    for datagram in answered(setup):
        message = bytearray(datagram.payload)
        decision = one.decide(message, CORE, ip(datagram.source))
        assert isinstance(decision, ToClient)
        assert (decision.port.name, decision.message) == ("vlan10", None)
        assert message == datagram.payload
        assert decision.hardware is not None, "no client of these recordings has its address yet"
        (frame,) = frames_of(
            message, source=ip(GIADDR), destination=decision.address, hardware=decision.hardware
        )
        today.append((frame[:6], without_identification(frame[ETHERNET_HEADER:])))
    frames = pcap.frames((FOLDER / f"{setup}-clients.pcap").read_bytes())
    then = [
        (frame[:6], without_identification(frame[ETHERNET_HEADER:]))
        for frame in frames
        if (datagram_ := Joiner().take(frame)) and datagram_.source == GIADDR
    ]
    assert today
    assert sorted(today) == sorted(then)


def without_identification(packet_: bytes) -> bytes:
    """Return an IP packet with 0 for its id and for the header checksum, which the id is part of."""
    return packet_[:4] + bytes(2) + packet_[6:10] + bytes(2) + packet_[12:]


def test_behind_a_router_no_reply_passes_us() -> None:
    assert answered("behind-a-router") == []
    assert {datagram.source for datagram in recorded("behind-a-router", "servers")} == {ROUTER, RELAY_CORE}


@pytest.mark.parametrize("setup", SETUPS)
def test_all_requests_of_a_client_go_to_its_one_boot_server(setup: str) -> None:
    """DISCOVER, the firmware's repetition of it and REQUEST; iPXE (user class 77) like the rest."""
    chosen: dict[str, set[tuple[bytes, ...]]] = {}
    for datagram, _, decision in decided(relay(configuration(setup)), setup):
        chosen.setdefault(mac(datagram), set()).add(decision.servers)
    with_addresses = (ip(DHCP),) if "dhcp_servers" in SETTINGS[setup] else ()
    expected = {client: {(ip(server), *with_addresses)} for client, server in OWN_SERVER.items()}
    if setup == "pxe-only":
        expected[PLAIN] = {with_addresses}
    assert chosen == expected


@pytest.mark.parametrize("setup", SETUPS)
def test_firmware_is_told_from_other_clients(setup: str) -> None:
    for datagram, _ in asked(setup):
        found, client = options(datagram), mac(datagram)
        assert packet.is_pxe(packet.vendor_class(found)) is (client != PLAIN)
        assert packet.architectures(found) == {BIOS.mac: (0,), UEFI.mac: (7,), PLAIN: ()}[client]
        assert (found.get(77) == b"iPXE") is (client == BIOS.mac)


@pytest.mark.parametrize("setup", ["proxydhcp", "pxe-only"])
def test_offers_without_an_address_reached_everyone(setup: str) -> None:
    """A proxyDHCP server offers none (PXE 2.1, 2.2.3), whether or not it set the broadcast flag."""
    proxied = [
        datagram
        for datagram in recorded(setup, "clients")
        if datagram.source == GIADDR and datagram.payload[packet.YIADDR] == packet.UNSET
    ]
    assert {mac(datagram) for datagram in proxied} == {BIOS.mac, UEFI.mac}
    assert {(datagram.hardware, datagram.destination) for datagram in proxied} == {
        ("ff:ff:ff:ff:ff:ff", EVERYONE)
    }
    assert all(packet.message_type(options(datagram)) == 2 for datagram in proxied)


@pytest.mark.parametrize("setup", ["proxydhcp", "pxe-only"])
def test_port_4011_was_routed_and_not_relayed(setup: str) -> None:
    sides: list[Callable[[Datagram], bool]] = [
        lambda datagram: datagram.port == 4011,
        lambda datagram: datagram.source_port == 4011,
    ]
    for belongs in sides:
        at_clients, at_servers = (
            [(each.source, each.destination, each.payload) for each in recorded(setup, side) if belongs(each)]
            for side in ("clients", "servers")
        )
        assert at_clients
        assert at_clients == at_servers


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.pcap")), ids=lambda path: path.stem)
def test_recorded_checksums_are_finished(path: Path) -> None:
    assert {datagram.checksum for datagram in pcap.read(path)} == {Checksum.GOOD}
