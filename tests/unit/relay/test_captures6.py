"""Recordings of firmware that boots over IPv6: the relay decides today as it did on the wire then."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from pxerelay.policy.addresses6 import Address6
from pxerelay.relay.decision6 import ToPeer, ToServers6
from pxerelay.relay.relay6 import Relay6
from tests.firmware.machine import Card
from tests.firmware.setups6 import BIOS6, IPXE6, RECORDED, UEFI6, configuration6
from tests.lab import dhcp6, pcap
from tests.lab.command import REPOSITORY
from tests.lab.frames import Checksum, Datagram
from tests.lab.topology6 import ALTIRIS6, RELAY_CORE6, RIS6
from tests.unit.configs import VLAN10
from tests.unit.configs6 import LINKS, heard, relay6, routed
from tests.unit.messages6 import ip6

FOLDER = REPOSITORY / "tests" / "captures" / "ipv6"
LINK_ADDRESS = "2001:db8:10:10::1"
ADDRESSES = {"ris": ip6(RIS6), "altiris": ip6(ALTIRIS6)}
BOOTS = {UEFI6.mac: 7, IPXE6.mac: 7, BIOS6.mac: 0}
"""The architecture that each says in option 61."""


def recorded(name: str, side: str) -> list[Datagram]:
    return pcap.read6(FOLDER / f"{name}-{side}.pcap")


def asked(name: str) -> list[Datagram]:
    """Return what came from clients."""
    found = [one for one in recorded(name, "clients") if one.port == 547]
    assert found
    return found


def delivered(name: str) -> list[Datagram]:
    """Return what left for clients."""
    found = [one for one in recorded(name, "clients") if one.port == 546]
    assert found
    return found


def then(name: str) -> Relay6:
    """Return the relay as it was configured, with the addresses that it had."""
    (link_local,) = {one.source for one in delivered(name)}
    addresses = {"vlan10": (LINK_ADDRESS, link_local), "core": (RELAY_CORE6,)}
    links = tuple(
        link._replace(addresses6=tuple(Address6(IPv6Address(text)) for text in addresses[link.name]))
        for link in LINKS
        if link.name in addresses
    )
    return relay6(configuration6(RECORDED[name]), links)


def decided(name: str) -> Iterator[tuple[Datagram, ToServers6]]:
    """Yield each message of a client, and what is decided of it."""
    relay = then(name)
    for one in asked(name):
        mac = bytes.fromhex(one.sender.replace(":", ""))
        arrival = heard(one.payload, source=ip6(one.source), destination=ip6(one.destination), mac=mac)
        decision = relay.decide(arrival)
        assert isinstance(decision, ToServers6)
        yield one, decision


def test_every_mapping_has_its_recordings() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.pcap")) == sorted(
        f"{name}-{side}" for name in RECORDED for side in ("clients", "servers")
    )
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in FOLDER.glob("*.pcap"))


@pytest.mark.parametrize("name", RECORDED)
def test_all_that_was_sent_to_servers_is_what_is_decided_today(name: str) -> None:
    """As many copies, to the same servers, octet by octet."""
    today = [
        (server, decision.header + one.payload)
        for one, decision in decided(name)
        for server in decision.servers
    ]
    sent = [
        (ip6(one.destination), one.payload)
        for one in recorded(name, "servers")
        if one.source == RELAY_CORE6 and one.port == 547
    ]
    assert sorted(today) == sorted(sent)


@pytest.mark.parametrize("name", RECORDED)
def test_all_that_was_sent_to_clients_is_what_is_decided_today(name: str) -> None:
    """From our link-local address to theirs, at the MAC in it; hop limit and checksum are rule 149's."""
    relay = then(name)
    today = []
    for one in recorded(name, "servers"):
        if one.destination == RELAY_CORE6 and one.port == 547:
            decision = relay.decide(routed(one.payload, source=ip6(one.source), destination=ip6(RELAY_CORE6)))
            assert isinstance(decision, ToPeer)
            assert decision.port
            assert (decision.port.index, decision.udp_port) == (VLAN10, 546)
            assert decision.hardware
            assert decision.source
            addresses = (decision.source, decision.address)
            today.append((decision.hardware.hex(":"), *addresses, bytes(decision.message)))
    sent = [(one.hardware, ip6(one.source), ip6(one.destination), one.payload) for one in delivered(name)]
    assert sorted(today) == sorted(sent)
    assert {(one.hop_limit, one.checksum, one.source_port) for one in delivered(name)} == {
        (64, Checksum.GOOD, 547)
    }


@pytest.mark.parametrize("name", RECORDED)
def test_all_messages_of_a_client_go_to_its_one_boot_server(name: str) -> None:
    """Also those of the firmware's IPv6 stack, which tell nothing of what it is (rule 119)."""
    mapping: dict[str, Card] = {card.mac: card for card in RECORDED[name]}
    chosen: dict[str, set[tuple[bytes, ...]]] = {}
    for one, decision in decided(name):
        chosen.setdefault(one.sender, set()).add(decision.servers)
    assert chosen == {mac: {(ADDRESSES[RECORDED[name][card]],)} for mac, card in mapping.items()}


@pytest.mark.parametrize("name", RECORDED)
def test_firmware_is_told_from_operating_systems(name: str) -> None:
    """What asks for a boot file boots; the questions of UEFI's IPv6 stack do not say so."""
    seen: dict[tuple[str, bool], set[tuple[int, ...]]] = {}
    for one, decision in decided(name):
        assert decision.client
        boots = dhcp6.read(one.payload).one(dhcp6.CLIENT_ARCH) is not None
        assert decision.client.boots is boots
        seen.setdefault((one.sender, boots), set()).add(decision.client.architectures)
    assert {mac: seen[mac, True] for mac in BOOTS} == {mac: {(arch,)} for mac, arch in BOOTS.items()}
    assert {key for key in seen if not key[1]} == {(UEFI6.mac, False)}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.pcap")), ids=lambda path: path.stem)
def test_recorded_checksums_are_finished(path: object) -> None:
    assert {one.checksum for one in pcap.read6(FOLDER / str(path))} == {Checksum.GOOD}
